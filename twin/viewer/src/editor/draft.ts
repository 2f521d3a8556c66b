// The scene being edited: changes as whole new scenes, with undo and redo. No DOM.
//
// Invariant: every draft is a scene that the server takes: unique ids, parents that exist and lead upwards.
import type { Binding, Camera, Environment, Primitive, PrimitiveType, Scene, SceneNode } from "../shared/types";

const MOST_STEPS = 200;

export interface History {
  past: Scene[];
  scene: Scene;
  future: Scene[];
  /** What was last changed: changes of the same thing are one step while it goes on. */
  step: string;
}

export function begun(scene: Scene): History {
  return { past: [], scene, future: [], step: "" };
}

/** Return the history with a change; `step` names it, and the same name again joins the step before. */
export function changed(history: History, scene: Scene, step = ""): History {
  if (step !== "" && step === history.step) return { ...history, scene, future: [] };
  return { past: [...history.past, history.scene].slice(-MOST_STEPS), scene, future: [], step };
}

export function undone(history: History): History {
  const before = history.past.at(-1);
  if (!before) return history;
  return { past: history.past.slice(0, -1), scene: before, future: [history.scene, ...history.future], step: "" };
}

export function redone(history: History): History {
  const [next, ...rest] = history.future;
  if (!next) return history;
  return { past: [...history.past, history.scene], scene: next, future: rest, step: "" };
}

const SIZES: Record<PrimitiveType, [number, number, number]> = {
  box: [1, 1, 1], cylinder: [0.8, 1.2, 0.8], sphere: [1, 1, 1], pipe: [1, 1, 1], tank: [1.6, 2.6, 1.6], conveyor: [4, 0.9, 1], floor: [12, 1, 12],
};
const COLORS: Record<PrimitiveType, string> = {
  box: "#8a949e", cylinder: "#2f6db3", sphere: "#3a8a6e", pipe: "#9fb0bd", tank: "#b8c4cf", conveyor: "#d99a2b", floor: "#c9ced4",
};

/** Return a scene's free id like 'tank-2'. */
export function freeId(scene: Scene, stem: string): string {
  const taken = new Set(scene.nodes.map((node) => node.id));
  for (let number = 1; ; number++) if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`;
}

const STILL = { position: [0, 0, 0], rotation: [0, 0, 0], scale: [1, 1, 1], visible: true, widgets: [] } satisfies Partial<SceneNode>;

export function withPrimitive(scene: Scene, type: PrimitiveType): [Scene, string] {
  const id = freeId(scene, type);
  const primitive: Primitive = { type, size: SIZES[type], color: COLORS[type], opacity: 1 };
  if (type === "pipe") Object.assign(primitive, { path: [[0, 1, 0], [2, 1, 0]], radius: 0.1 });
  return [withNode(scene, { ...STILL, id, name: id, primitive, position: [0, 0, 0] }), id];
}

export function withAsset(scene: Scene, asset: Scene["assets"][number]): [Scene, string] {
  const id = freeId(scene, "model");
  const known = scene.assets.some((one) => one.id === asset.id);
  const assets = known ? scene.assets : [...scene.assets, asset];
  return [withNode({ ...scene, assets }, { ...STILL, id, name: asset.name, asset_id: asset.id, position: [0, 0, 0] }), id];
}

export function withGroup(scene: Scene): [Scene, string] {
  const id = freeId(scene, "group");
  return [withNode(scene, { ...STILL, id, name: id, position: [0, 0, 0] }), id];
}

function withNode(scene: Scene, node: SceneNode): Scene {
  return { ...scene, nodes: [...scene.nodes, node] };
}

/** Return the scene with a node's fields replaced; a parent that would be its own ancestor is refused. */
export function patched(scene: Scene, id: string, change: Partial<SceneNode>): Scene {
  if (change.parent && leadsTo(scene, change.parent, id)) return scene;
  return { ...scene, nodes: scene.nodes.map((node) => (node.id === id ? { ...node, ...change } : node)) };
}

/** Return the scene with fields of a node's shape replaced; what they become may hang on what they were. */
export function reshaped(scene: Scene, id: string, change: (primitive: Primitive) => Partial<Primitive>): Scene {
  const primitive = scene.nodes.find((node) => node.id === id)?.primitive;
  return primitive ? patched(scene, id, { primitive: { ...primitive, ...change(primitive) } }) : scene;
}

/** Return whether going up from `from` comes past `to`. */
export function leadsTo(scene: Scene, from: string | null, to: string): boolean {
  const parents = new Map(scene.nodes.map((node) => [node.id, node.parent ?? null]));
  for (let at = from, steps = 0; at && steps <= scene.nodes.length; at = parents.get(at) ?? null, steps++) if (at === to) return true;
  return false;
}

/** Return the scene without a node and what hangs below it. */
export function without(scene: Scene, id: string): Scene {
  return { ...scene, nodes: scene.nodes.filter((node) => !leadsTo(scene, node.id, id)) };
}

/** Return the scene with a copy of a node beside it. */
export function duplicated(scene: Scene, id: string): [Scene, string] {
  const node = scene.nodes.find((one) => one.id === id);
  if (!node) return [scene, id];
  const copy = freeId(scene, id.replace(/-\d+$/, ""));
  const [x, y, z] = node.position;
  return [withNode(scene, { ...structuredClone(node), id: copy, name: copy, position: [x + 1, y, z] }), copy];
}

export function bound(scene: Scene, id: string, binding: Binding): Scene {
  const node = scene.nodes.find((one) => one.id === id);
  return node ? patched(scene, id, { widgets: [...node.widgets, binding] }) : scene;
}

export function rebound(scene: Scene, id: string, index: number, binding: Binding | null): Scene {
  const node = scene.nodes.find((one) => one.id === id);
  if (!node) return scene;
  return patched(scene, id, { widgets: node.widgets.flatMap((one, at) => (at !== index ? [one] : binding ? [binding] : [])) });
}

/** Return the scene with a view kept; one of the same name is replaced where it stands. */
export function withCamera(scene: Scene, camera: Camera): Scene {
  const known = scene.cameras.some((one) => one.name === camera.name);
  return { ...scene, cameras: known ? scene.cameras.map((one) => (one.name === camera.name ? camera : one)) : [...scene.cameras, camera] };
}

/** Return a scene's free name for a view like 'View 2'. */
export function freeCameraName(scene: Scene): string {
  const taken = new Set(scene.cameras.map((camera) => camera.name));
  for (let number = scene.cameras.length + 1; ; number++) if (!taken.has(`View ${number}`)) return `View ${number}`;
}

/** Return the scene with a view renamed; a name that is empty or another view's is refused. */
export function withCameraNamed(scene: Scene, old: string, name: string): Scene {
  if (name === "" || scene.cameras.some((camera) => camera.name === name)) return scene;
  return { ...scene, cameras: scene.cameras.map((camera) => (camera.name === old ? { ...camera, name } : camera)) };
}

export function withoutCamera(scene: Scene, name: string): Scene {
  return { ...scene, cameras: scene.cameras.filter((camera) => camera.name !== name) };
}

export function withEnvironment(scene: Scene, change: Partial<Environment>): Scene {
  return { ...scene, environment: { ...scene.environment, ...change } };
}

/** Return whether a node's model was deleted. */
export function isLost(scene: Scene, node: SceneNode): boolean {
  return !!node.asset_id && !scene.assets.some((asset) => asset.id === node.asset_id);
}
