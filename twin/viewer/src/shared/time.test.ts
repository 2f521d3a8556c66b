import { expect, test } from "vitest";
import { retryPause } from "./feed";
import { age, ago, tick } from "./time";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);

test.each([
  [0, "now"],
  [12_900, "12 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3 * 3_600_000, "3 h"],
  [5 * 86_400_000, "5 d"],
  [-5000, "now"],
])("%s ms ago", (ms, text) => {
  expect(age(NOW - ms, NOW)).toBe(text);
});

test("ago", () => {
  expect(ago(null, NOW)).toBe("–");
  expect(ago(new Date(NOW - 61_000).toISOString(), NOW)).toBe("1 min ago");
});

test("an axis is as exact as its span", () => {
  const at = new Date(2026, 10, 20, 14, 3, 7).getTime();
  expect(tick(at, 60_000)).toBe("14:03:07");
  expect(tick(at, 3_600_000)).toBe("14:03");
  expect(tick(at, 7 * 86_400_000)).toBe("20 Nov");
});

test("retries wait longer each time, up to a bound", () => {
  const pauses = [0, 1, 2, 3, 10, 50].map((tries) => retryPause(tries, 0.5));
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 30_000, 30_000]);
  expect(retryPause(0, 0)).toBe(750);
  expect(retryPause(0, 1)).toBe(1250);
});
