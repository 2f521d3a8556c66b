import { expect, test } from "vitest";
import type { Scene } from "../shared/types";
import {
  begun, bound, changed, duplicated, freeCameraName, isLost, patched, rebound, redone, undone, withAsset, withCamera, withCameraNamed, withEnvironment,
  withGroup, without, withoutCamera, withPrimitive,
} from "./draft";

const EMPTY: Scene = {
  id: "s", name: "S", description: "", nodes: [], cameras: [], environment: { light: "studio", grid: true },
  revision: 1, assets: [], missing: { asset_ids: [], widget_ids: [] }, created_at: "", updated_at: "",
};

test("undo and redo walk the same way back and forth", () => {
  const [one] = withPrimitive(EMPTY, "tank");
  const [two] = withPrimitive(one, "box");
  let history = changed(changed(begun(EMPTY), one), two);
  history = undone(undone(history));
  expect(history.scene).toBe(EMPTY);
  expect(undone(history)).toBe(history);
  history = redone(history);
  expect(history.scene).toBe(one);
  history = changed(history, EMPTY);
  expect(redone(history)).toBe(history);
});

test("a drag is one step", () => {
  let history = begun(withPrimitive(EMPTY, "box")[0]);
  for (let x = 1; x <= 10; x++) history = changed(history, patched(history.scene, "box-1", { position: [x, 0, 0] }), "move box-1");
  expect(history.scene.nodes[0]?.position).toEqual([10, 0, 0]);
  expect(undone(history).scene.nodes[0]?.position).toEqual([0, 0, 0]);
});

test("ids are free ones", () => {
  let scene = EMPTY;
  const ids = ["tank", "tank", "box"].map((type) => {
    const [next, id] = withPrimitive(scene, type as "tank");
    scene = next;
    return id;
  });
  expect(ids).toEqual(["tank-1", "tank-2", "box-1"]);
  expect(duplicated(scene, "tank-1")[1]).toBe("tank-3");
});

test("no node becomes its own ancestor, and what hangs below goes with its node", () => {
  let scene = withGroup(withGroup(withGroup(EMPTY)[0])[0])[0];
  scene = patched(patched(scene, "group-2", { parent: "group-1" }), "group-3", { parent: "group-2" });
  expect(patched(scene, "group-1", { parent: "group-3" })).toBe(scene);
  expect(patched(scene, "group-1", { parent: "group-1" })).toBe(scene);
  expect(without(scene, "group-2").nodes.map((node) => node.id)).toEqual(["group-1"]);
});

test("widgets are bound, changed and taken away", () => {
  const widget = { widget_id: "w", anchor: {}, display: { kind: "card" as const } };
  let scene = bound(withPrimitive(EMPTY, "box")[0], "box-1", widget);
  scene = rebound(scene, "box-1", 0, { ...widget, display: { kind: "gauge" } });
  expect(scene.nodes[0]?.widgets).toEqual([{ ...widget, display: { kind: "gauge" } }]);
  expect(rebound(scene, "box-1", 0, null).nodes[0]?.widgets).toEqual([]);
});

test("a camera of the same name is replaced where it stands", () => {
  const at = (x: number): Scene["cameras"][number] => ({ name: "front", position: [x, 0, 0], target: [0, 0, 0] });
  const side = { ...at(3), name: "side" };
  expect(withCamera(withCamera(withCamera(EMPTY, at(1)), side), at(2)).cameras).toEqual([at(2), side]);
});

test("views are renamed and deleted by their names, of which each is one view's", () => {
  const at = (name: string): Scene["cameras"][number] => ({ name, position: [1, 2, 3], target: [0, 0, 0] });
  const scene = withCamera(withCamera(EMPTY, at("View 2")), at("gate"));
  expect(freeCameraName(scene)).toBe("View 3");
  expect(withCameraNamed(scene, "gate", "View 2")).toBe(scene);
  expect(withCameraNamed(scene, "gate", "")).toBe(scene);
  expect(withCameraNamed(scene, "View 2", "roof").cameras.map((camera) => camera.name)).toEqual(["roof", "gate"]);
  expect(withoutCamera(scene, "View 2").cameras).toEqual([at("gate")]);
});

test("surroundings change one by one", () => {
  expect(withEnvironment(EMPTY, { light: "dusk" }).environment).toEqual({ light: "dusk", grid: true });
});

test("a node whose model was deleted is told", () => {
  const model = { id: "m", name: "Pump" } as Scene["assets"][number];
  const [scene] = withAsset(EMPTY, model);
  expect(isLost(scene, scene.nodes[0]!)).toBe(false);
  expect(isLost({ ...scene, assets: [] }, scene.nodes[0]!)).toBe(true);
});
