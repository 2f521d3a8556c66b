import { expect, test } from "vitest";
import type { LineData, SingleData } from "../shared/types";
import { alertColor, colorOf, fraction, freshness, gaugeEnds, newest, numberOf, spin, within } from "./values";

const single: SingleData = {
  type: "single", title: "T", unit: "bar", value: 4, ts: "2026-11-20T12:00:00Z",
  previous: 3, delta: 1, stale: false, alert: null,
};
const line: LineData = {
  type: "line", title: "L", unit: null, from: "", to: "", bucket_seconds: 60,
  labels: ["a", "b", "c"], values: [1, 2, null], alert: null,
};
const ranges = [{ to: 10, color: "#00ff00" }, { from: 10, to: 20, color: "#ffff00" }, { from: 20, color: "#ff0000" }];

test("the newest value is the last one there is", () => {
  expect(newest(single)).toBe(4);
  expect(newest(line)).toBe(2);
  expect(newest({ ...line, values: [], series: [{ key: "k", device: "d", values: [7] }] })).toBe(7);
  expect(numberOf({ error: "NOT_FOUND", message: "gone", status: 404 })).toBeNull();
  expect(numberOf({ ...single, value: true })).toBe(1);
  expect(numberOf({ ...single, value: "RUN" })).toBeNull();
});

test.each([[9.99, "#00ff00"], [10, "#ffff00"], [19.9, "#ffff00"], [20, "#ff0000"], [-1e9, "#00ff00"], [null, null]])(
  "the colour of %s", (value, color) => expect(colorOf(value, ranges)).toBe(color),
);

test("an end of a range is in, the other is not", () => {
  expect([within(1, { from: 1, to: 2 }), within(2, { from: 1, to: 2 }), within(2, {})]).toEqual([true, false, true]);
});

test("a gauge's ends", () => {
  expect(gaugeEnds({ kind: "gauge", min: 2, max: 8 }, 100)).toEqual([2, 8]);
  expect(gaugeEnds({ kind: "gauge", ranges }, 5)).toEqual([0, 20]);
  expect(gaugeEnds({ kind: "gauge" }, 42)).toEqual([0, 50]);
  expect(gaugeEnds({ kind: "gauge" }, null)).toEqual([0, 1]);
  expect(gaugeEnds({ kind: "gauge" }, -5)[0]).toBe(-5);
  expect([fraction(5, [0, 20]), fraction(-5, [0, 20]), fraction(50, [0, 20])]).toEqual([0.25, 0, 1]);
});

test("a motion turns with its value", () => {
  expect(spin({ kind: "motion", factor: 2 }, 30)).toBe(360);
  expect(spin({ kind: "motion" }, null)).toBe(0);
});

test("an alert colours its part, by its severity if it names no colour", () => {
  const alert = { state: "firing", name: "hot", widget_color: null, icon: null, since: "" };
  expect(alertColor({ ...alert, severity: "critical", material_color: "#123456" })).toBe("#123456");
  expect(alertColor({ ...alert, severity: "warning", material_color: null })).toBe("#f59e0b");
});

test("what cannot be believed is told", () => {
  expect(freshness(undefined)).toBe("waiting");
  expect(freshness({ error: "X", message: "", status: 500 })).toBe("error");
  expect(freshness({ ...single, stale: true })).toBe("stale");
  expect(freshness({ ...single, value: null })).toBe("empty");
  expect(freshness(single)).toBe("fresh");
});
