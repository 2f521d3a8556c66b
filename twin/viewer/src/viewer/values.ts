// What a widget's data says as one value, and what scales make of it. No DOM.
import type { Display, ShownAlert, Value, ValueRange, WidgetAnswer, WidgetData } from "../shared/types";
import { isError } from "../shared/types";

/** Return the newest value of a widget: a line's or bar's last one. */
export function newest(data: WidgetData): Value {
  if (data.type === "single") return data.value;
  if (data.type === "double") return data.primary.value;
  const values = data.series?.[0]?.values ?? data.values;
  return values.findLast((one) => one !== null) ?? null;
}

/** Return the time of the newest value, or null. */
export function newestTime(data: WidgetData): string | null {
  if (data.type === "single") return data.ts;
  if (data.type === "double") return latest(data.primary.ts, data.secondary.ts);
  return data.type === "line" ? (data.labels.at(-1) ?? null) : null;
}

function latest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

export function unitOf(data: WidgetData): string {
  return (data.type === "double" ? data.primary.unit : data.unit) ?? "";
}

/** Return a value as a number: true is 1; null where it is none. */
export function numeric(value: Value | undefined): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Return the number of an answer, or null: no answer, an error, a text. */
export function numberOf(answer: WidgetAnswer | undefined): number | null {
  return answer === undefined || isError(answer) ? null : numeric(newest(answer));
}

/** Return whether from ≤ value < to; an end left out is open. */
export function within(value: number, range: { from?: number | null; to?: number | null }): boolean {
  return (range.from ?? -Infinity) <= value && value < (range.to ?? Infinity);
}

/** Return the colour of the first range that holds the value. */
export function colorOf(value: number | null, ranges: ValueRange[] | undefined): string | null {
  if (value === null) return null;
  return ranges?.find((range) => within(value, range))?.color ?? null;
}

/** Return a gauge's ends: given, else those of its ranges, else a round span that holds the value. */
export function gaugeEnds(display: Display, value: number | null): [number, number] {
  const ends = (display.ranges ?? []).flatMap((range) => [range.from, range.to]);
  const known = ends.filter((end): end is number => typeof end === "number");
  const low = display.min ?? Math.min(0, value ?? 0, ...known);
  const high = display.max ?? Math.max(low, value ?? 0, ...known);
  return high > low ? [low, display.max ?? roundUp(high, low)] : [low, low + 1];
}

function roundUp(high: number, low: number): number {
  const step = 10 ** Math.floor(Math.log10(high - low));
  return low + Math.ceil((high - low) / step) * step;
}

/** Return where a value lies between ends, from 0 to 1. */
export function fraction(value: number, [low, high]: [number, number]): number {
  return Math.min(Math.max((value - low) / (high - low), 0), 1);
}

/** Return degrees a second of a motion. */
export function spin(display: Display, value: number | null): number {
  return value === null ? 0 : value * (display.factor ?? 1) * 6; // a revolution a minute is 6°/s
}

export const SEVERITY_COLORS = { info: "#3b82f6", warning: "#f59e0b", critical: "#e5383b" } as const;

/** Return the colour that an alert gives to a part: its own, else its severity's. */
export function alertColor(alert: ShownAlert): string {
  return alert.material_color ?? SEVERITY_COLORS[alert.severity];
}

export type Freshness = "fresh" | "stale" | "empty" | "error" | "waiting";

/** Return how far an answer can be believed. */
export function freshness(answer: WidgetAnswer | undefined): Freshness {
  if (answer === undefined) return "waiting";
  if (isError(answer)) return "error";
  if (answer.type === "single" && answer.stale) return "stale";
  return newest(answer) === null ? "empty" : "fresh";
}
