import { expect, test } from "vitest";
import type { Vec3 } from "../shared/types";
import { MOST_POINTS, withMoved, withoutPoint, withPoint } from "./path";

const PIPE: Vec3[] = [[0, 1, 0], [2, 1, 0]];

test("a point comes between two others, or beyond the end in the pipe's direction", () => {
  expect(withPoint(PIPE, 0)).toEqual([[0, 1, 0], [1, 1, 0], [2, 1, 0]]);
  expect(withPoint(PIPE, 1)).toEqual([[0, 1, 0], [2, 1, 0], [3, 1, 0]]);
  expect(withPoint([[1, 1, 1], [1, 1, 1]], 1).at(-1)).toEqual([2, 1, 1]);
});

test("there are two points at least, and no more than the server takes", () => {
  expect(withoutPoint(PIPE, 0)).toBe(PIPE);
  expect(withoutPoint(withPoint(PIPE, 0), 0)).toEqual([[1, 1, 0], [2, 1, 0]]);
  let path = PIPE;
  for (let more = 0; more < MOST_POINTS + 5; more++) path = withPoint(path, path.length - 1);
  expect(path).toHaveLength(MOST_POINTS);
});

test("a point is moved", () => {
  expect(withMoved(PIPE, 1, [2, 3, 4])).toEqual([[0, 1, 0], [2, 3, 4]]);
});
