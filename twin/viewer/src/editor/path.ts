// The points that a pipe follows.
//
// Invariant: a path has 2 to `MOST_POINTS` points, as the server demands.
import type { Vec3 } from "../shared/types";

export const MOST_POINTS = 200;
export const FIRST: Vec3[] = [[0, 0, 0], [1, 0, 0]]; // what a pipe without a path is drawn along

const BEYOND_M = 1;
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000 + 0;

/** Return the path with a point after one: half way to the next, or a metre beyond the end. */
export function withPoint(path: Vec3[], after: number): Vec3[] {
  const from = path[after];
  if (!from || path.length >= MOST_POINTS) return path;
  const next = path[after + 1];
  const made = next ? between(from, next) : beyond(path[after - 1] ?? from, from);
  return [...path.slice(0, after + 1), made, ...path.slice(after + 1)];
}

function between(a: Vec3, b: Vec3): Vec3 {
  return a.map((value, axis) => rounded((value + b[axis]!) / 2)) as Vec3;
}

function beyond(before: Vec3, end: Vec3): Vec3 {
  const leg = end.map((value, axis) => value - before[axis]!);
  const length = Math.hypot(...leg);
  const way = length > 0 ? leg.map((part) => part / length) : [1, 0, 0];
  return end.map((value, axis) => rounded(value + way[axis]! * BEYOND_M)) as Vec3;
}

/** Return the path without a point; two are left in any case. */
export function withoutPoint(path: Vec3[], at: number): Vec3[] {
  return path.length > 2 ? path.filter((_, index) => index !== at) : path;
}

export function withMoved(path: Vec3[], at: number, to: Vec3): Vec3[] {
  return path.map((point, index) => (index === at ? to : point));
}
