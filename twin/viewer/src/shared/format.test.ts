import { expect, test } from "vitest";
import { bytes, change, number, value } from "./format";

test.each([
  [0, "0"],
  [-0.0001, "-1.0e-4"],
  [0.0123, "0.012"],
  [3.14159, "3.14"],
  [42.5, "42.5"],
  [-7, "−7"],
  [123.456, "123.5"],
  [1234.4, "1\u202f234"],
  [-123456, "−123\u202f456"],
  [12_345_678, "12.35 M"],
  [Infinity, "–"],
])("the number %s reads %s", (given, text) => {
  expect(number(given)).toBe(text);
});

test("values of every kind", () => {
  expect([value(null), value(true), value(false), value("RUN"), value(1.5)]).toEqual(["–", "on", "off", "RUN", "1.5"]);
  expect([change(2), change(-2), change(0)]).toEqual(["+2", "−2", "0"]);
  expect([bytes(12), bytes(12_500), bytes(64 * 2 ** 20)]).toEqual(["12 B", "12.5 kB", "67.1 MB"]);
});
