import { expect, test } from "vitest";
import { modelName, whyNoModel } from "./upload";

test("a model is called after its file", () => {
  expect(modelName("Pump 3.GLB")).toBe("Pump 3");
  expect(modelName(".glb")).toBe("model");
  expect(modelName("x".repeat(300))).toHaveLength(200);
});

test("what cannot be a model is told before it is sent", () => {
  expect(whyNoModel({ name: "pump.gltf", size: 9 })).toContain(".glb");
  expect(whyNoModel({ name: "pump.glb", size: 0 })).toContain("empty");
  expect(whyNoModel({ name: "pump.glb", size: 9 })).toBeNull();
});
