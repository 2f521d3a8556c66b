import { expect, test } from "vitest";
import { partsOf, to } from "./router";

test.each([
  ["", []],
  ["#/", []],
  ["#/datasources", ["datasources"]],
  ["#/datasources//x/", ["datasources", "x"]],
  ["#/a%2Fb/c%20d", ["a/b", "c d"]],
  ["#/100%", ["100%"]],
])("the hash %s", (hash, parts) => {
  expect(partsOf(hash)).toEqual(parts);
});

test("an address leads back to its parts", () => {
  const parts = ["datasources", "a/b ü", "edit"];
  expect(partsOf(to(...parts))).toEqual(parts);
});
