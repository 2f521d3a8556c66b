import { expect, test } from "vitest";
import type { BarData, LineData } from "../../shared/types";
import { chartOf } from "./chart";

const LINE: LineData = {
  type: "line",
  title: "T",
  unit: null,
  from: "",
  to: "",
  bucket_seconds: 60,
  labels: ["2026-11-20T12:00:00Z", "2026-11-20T12:01:00Z"],
  values: [1, null],
  alert: null,
};

test("a line is over seconds", () => {
  const chart = chartOf(LINE);
  expect(chart.labels).toBeNull();
  expect(chart.columns).toEqual([
    [Date.UTC(2026, 10, 20, 12) / 1000, Date.UTC(2026, 10, 20, 12, 1) / 1000],
    [1, null],
  ]);
});

test("several series are told apart by key, or by device where the key is one", () => {
  const series = (...of: [string, string | null][]) =>
    chartOf({ ...LINE, series: of.map(([key, device]) => ({ key, device, values: [true, "x"] })) });
  expect(series(["a", null], ["b", null]).names).toEqual(["a", "b"]);
  expect(series(["a", "m1"], ["a", ""]).names).toEqual(["m1", "no device"]);
  expect(series(["a", null]).columns[1]).toEqual([1, null]);
});

test("bars of devices stand at places", () => {
  const bar: BarData = { type: "bar", title: "", unit: null, labels: ["m1", ""], values: [3, 4], alert: null };
  expect(chartOf(bar)).toEqual({ isBars: true, labels: ["m1", "none"], names: ["value"], columns: [[0, 1], [3, 4]] });
});
