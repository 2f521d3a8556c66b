// Handles that move, turn and scale the chosen node, or move a point of a pipe; what they did is told once
// they are let go.
//
// Invariant: only what was dragged changes: moving a node rewrites neither its rotation nor its scale.
import { MathUtils, Mesh, MeshBasicMaterial, type Object3D, SphereGeometry } from "three";
import { TransformControls } from "three/addons/controls/TransformControls.js";
import type { SceneNode, Vec3 } from "../shared/types";
import { fileName } from "../viewer/world/models";
import type { World } from "../viewer/world/world";
import { formOf, written } from "./rotation";

export type Tool = "translate" | "rotate" | "scale";
export type Moved = Partial<Pick<SceneNode, "position" | "rotation" | "scale">>;

export interface Dragged {
  onNode(nodeId: string, moved: Moved): void;
  onPoint(nodeId: string, point: number, to: Vec3): void;
}

const SNAP_M = 0.25;
const SNAP_DEGREES = 15;
const SNAP_SCALE = 0.1;
const MARKED = "#0b63ce";

const places = (vector: { toArray(): number[] }): Vec3 => vector.toArray().map((value) => Math.round(value * 10_000) / 10_000 + 0) as Vec3;

export class Gizmo {
  private readonly controls: TransformControls;
  private readonly helper: Object3D;
  private readonly marker = new Mesh(new SphereGeometry(1, 16, 8), new MeshBasicMaterial({ color: MARKED }));
  private node: SceneNode | null = null;
  private point: number | null = null;
  private tool: Tool = "translate";
  private grabbed = false;
  private readonly grab = (): void => {
    this.grabbed = this.controls.axis !== null;
  };

  constructor(
    private readonly world: World,
    dragged: Dragged,
  ) {
    this.controls = new TransformControls(world.camera, world.canvas);
    this.helper = this.controls.getHelper();
    world.stage.scene.add(this.helper);
    world.canvas.addEventListener("pointerdown", this.grab); // after the handles' own listener
    this.controls.addEventListener("change", () => world.changed());
    this.controls.addEventListener("dragging-changed", (event) => {
      world.controls.enabled = !event.value;
      const { object } = this.controls;
      if (event.value || !object || !this.node) return;
      if (this.point !== null) dragged.onPoint(this.node.id, this.point, places(object.position));
      else dragged.onNode(this.node.id, this.moved(object, this.node));
    });
  }

  private moved(object: Object3D, node: SceneNode): Moved {
    if (this.tool === "translate") return { position: places(object.position) };
    if (this.tool === "scale") return { scale: places(object.scale) };
    return { rotation: written(object.quaternion, formOf(node.rotation)) };
  }

  /** Whether the press of the button that a click follows was on a handle. */
  get isGrabbed(): boolean {
    return this.grabbed;
  }

  /** Hold a node, a point of its pipe, or nothing. */
  hold(node: SceneNode | null, point: number | null = null): void {
    this.node = node;
    const at = point === null ? undefined : node?.primitive?.path?.[point];
    this.point = at ? point : null;
    const group = node ? this.world.plant.built.get(node.id)?.group : undefined;
    this.marker.removeFromParent();
    if (group && at) {
      this.marker.position.set(...at);
      this.marker.scale.setScalar((node?.primitive?.radius ?? 0.05) * 1.3);
      group.add(this.marker);
      this.controls.attach(this.marker);
    } else if (group) this.controls.attach(group);
    else this.controls.detach();
    this.setMode();
  }

  use(tool: Tool, snap: boolean): void {
    this.tool = tool;
    this.controls.setTranslationSnap(snap ? SNAP_M : null);
    this.controls.setRotationSnap(snap ? MathUtils.degToRad(SNAP_DEGREES) : null);
    this.controls.setScaleSnap(snap ? SNAP_SCALE : null);
    this.setMode();
  }

  private setMode(): void {
    this.controls.setMode(this.point === null ? this.tool : "translate");
    this.world.invalidate();
  }

  close(): void {
    this.world.canvas.removeEventListener("pointerdown", this.grab);
    this.controls.detach();
    this.helper.removeFromParent();
    this.marker.removeFromParent();
    this.marker.geometry.dispose();
    this.marker.material.dispose();
    this.controls.dispose();
    this.world.controls.enabled = true;
    this.world.invalidate();
  }
}

/** Return the name of the model's part that was clicked, or null. */
export function partName(object: Object3D | null): string | null {
  for (let at = object; at && !at.userData["nodeId"]; at = at.parent) {
    const name = fileName(at);
    if (name) return name;
  }
  return null;
}
