// A line's or bar's answer as columns of numbers for the chart.
import type { BarData, LineData, Value } from "../../shared/types";

export interface Chart {
  isBars: boolean;
  /** Names of the places on the x axis where they are no times. */
  labels: string[] | null;
  names: string[];
  /** x (seconds since 1970, or places), then a column per name. */
  columns: (number | null)[][];
}

const TIME = /^\d{4}-\d\d-\d\dT/;

function plain(value: Value | undefined): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : null;
}

export function chartOf(data: LineData | BarData): Chart {
  const isTimes = data.labels.every((label) => TIME.test(label));
  const series = data.series ?? [];
  const named = series.map((one) => ({
    name: series.some((other) => other !== one && other.key === one.key) ? (one.device || "no device") : one.key,
    values: one.values,
  }));
  const lines = named.length > 0 ? named : [{ name: data.title || "value", values: data.values }];
  const x = isTimes ? data.labels.map((label) => Date.parse(label) / 1000) : data.labels.map((_, place) => place);
  return {
    isBars: data.type === "bar",
    labels: isTimes ? null : data.labels.map((label) => label || "none"),
    names: lines.map((one) => one.name),
    columns: [x, ...lines.map((one) => data.labels.map((_, place) => plain(one.values[place])))],
  };
}
