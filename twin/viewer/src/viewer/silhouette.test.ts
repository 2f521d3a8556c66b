import { expect, test } from "vitest";
import { Silhouette } from "./silhouette";

test("tells which part of a box the plant is behind", () => {
  const plant = new Silhouette();
  plant.clear(480, 240);
  for (let x = 0; x < 240; x += 8) for (let y = 0; y < 240; y += 8) plant.mark(x, y);
  plant.mark(-5, 10);
  plant.mark(10, 9999);
  plant.finish();
  expect(plant.under({ left: 0, top: 0, right: 240, bottom: 240 })).toBe(1);
  expect(plant.under({ left: 264, top: 0, right: 480, bottom: 240 })).toBe(0);
  expect(plant.under({ left: 120, top: 48, right: 360, bottom: 96 })).toBe(0.5);
  expect(plant.under({ left: 500, top: 0, right: 700, bottom: 100 })).toBe(0);
  plant.clear(480, 240);
  plant.finish();
  expect(plant.under({ left: 0, top: 0, right: 240, bottom: 240 })).toBe(0);
});
