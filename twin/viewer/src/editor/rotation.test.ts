import { expect, test } from "vitest";
import { formOf, inForm, orientation, withPart, written } from "./rotation";

const angle = (a: number[], b: number[]): number => orientation(a).angleTo(orientation(b));

test.each([
  ["nothing", [0, 0, 0]],
  ["about y", [0, 45, 0]],
  ["about all", [10, -20, 170]],
  ["beyond a half turn", [200, 100, -190]],
  ["where two axes are one", [30, 90, 15]],
  ["and the other way round", [30, -90, 15]],
])("a change of form keeps the orientation: %s", (_, degrees) => {
  const quaternion = inForm(degrees, "quaternion");
  expect(formOf(quaternion)).toBe("quaternion");
  expect(angle(degrees, quaternion)).toBeLessThan(1e-5);
  expect(angle(degrees, inForm(quaternion, "degrees"))).toBeLessThan(1e-5);
});

test("a quaternion of any length means its direction", () => {
  expect(inForm([0, 3, 0, 3], "degrees")).toEqual([0, 90, 0]);
  expect(inForm([0, 3, 0, 3], "quaternion")).toEqual([0, 3, 0, 3]);
});

test("degrees that say it otherwise stay as they were written", () => {
  expect(inForm([0, 0, 360], "degrees")).toEqual([0, 0, 360]);
  expect(Object.is(written(orientation([0, 0, 0]), "degrees")[0], 0)).toBe(true);
});

test("four zeros are refused", () => {
  expect(withPart([0, 0, 0, 1], 3, 0)).toEqual([0, 0, 0, 1]);
  expect(withPart([0, 1, 0, 1], 3, 0)).toEqual([0, 1, 0, 0]);
  expect(withPart([1, 0, 0], 0, 0)).toEqual([0, 0, 0]);
});
