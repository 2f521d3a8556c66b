import { expect, test } from "vitest";
import { newestFirst, nextSpan, TAIL_ROWS, tailPause } from "./tail";

test("looks less often the longer nobody does anything", () => {
  expect([0, 59_999, 60_000, 299_999, 300_000].map(tailPause)).toEqual([1000, 1000, 3000, 3000, 15_000]);
});

test("the span shrinks when there is too much and grows when there is too little", () => {
  expect(nextSpan(60, TAIL_ROWS, false)).toBeNull();
  expect(nextSpan(60, 200, true)).toBe(60 / 16);
  expect(nextSpan(60, 1, false)).toBe(60 * 32);
  expect(nextSpan(1e9, 0, false)).toBeNull();
  expect(nextSpan(0.001, 200, true)).toBeNull();
});

test("newest first, with the keys that have values", () => {
  const rows = Array.from({ length: 30 }, (_, i) => ({ ts: String(i), device: null, x: i, y: null }));
  const found = newestFirst(rows);
  expect(found.rows).toHaveLength(TAIL_ROWS);
  expect(found.rows[0]?.ts).toBe("29");
  expect(found.keys).toEqual(["x"]);
});
