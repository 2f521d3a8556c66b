// Numbers and values as people read them.
import type { Value } from "./types";

const EMPTY = "–";

/** Return a number in at most five digits or so: 0.0123, 3.142, 42.5, 1 234, 1.2 M. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return EMPTY;
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  if (size < 1) return trimmed(value, 3);
  if (size < 100) return trimmed(value, 2);
  if (size < 1000) return trimmed(value, 1);
  if (size < 1_000_000) return grouped(Math.round(value));
  if (size < 1e9) return `${trimmed(value / 1e6, 2)} M`;
  return value.toExponential(2);
}

function trimmed(value: number, digits: number): string {
  const text = value.toFixed(digits).replace(/\.?0+$/, "");
  return text === "-0" ? "0" : text.replace("-", "−");
}

function grouped(value: number): string {
  return String(value)
    .replace("-", "−")
    .replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Return a widget's value. */
export function value(given: Value | undefined): string {
  if (given === null || given === undefined) return EMPTY;
  if (typeof given === "boolean") return given ? "on" : "off";
  return typeof given === "number" ? number(given) : given;
}

/** Return a change with its sign: "+1.5", "−3". */
export function change(delta: number): string {
  return delta > 0 ? `+${number(delta)}` : number(delta);
}

/** Return a size: "12.5 kB". */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let index = 0;
  while (size >= 1000 && index < units.length - 1) {
    size /= 1000;
    index += 1;
  }
  return `${index === 0 ? size : trimmed(size, 1)} ${units[index]}`;
}
