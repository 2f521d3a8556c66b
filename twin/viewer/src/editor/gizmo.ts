// Handles that move, turn and scale the chosen node; what they did is told once they are let go.
import { MathUtils, type Object3D } from "three";
import { TransformControls } from "three/addons/controls/TransformControls.js";
import type { SceneNode, Vec3 } from "../shared/types";
import { fileName } from "../viewer/world/models";
import type { World } from "../viewer/world/world";

export type Tool = "translate" | "rotate" | "scale";
export type Moved = Pick<SceneNode, "position" | "rotation" | "scale">;

const SNAP_M = 0.25;
const SNAP_DEGREES = 15;
const SNAP_SCALE = 0.1;

const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

export class Gizmo {
  private readonly controls: TransformControls;
  private readonly helper: Object3D;
  private nodeId: string | null = null;

  constructor(
    private readonly world: World,
    onMoved: (nodeId: string, moved: Moved) => void,
  ) {
    this.controls = new TransformControls(world.camera, world.canvas);
    this.helper = this.controls.getHelper();
    world.stage.scene.add(this.helper);
    this.controls.addEventListener("change", () => world.changed());
    this.controls.addEventListener("dragging-changed", (event) => {
      world.controls.enabled = !event.value;
      const group = this.controls.object;
      if (event.value || !group || this.nodeId === null) return;
      const { x, y, z } = group.rotation;
      onMoved(this.nodeId, {
        position: group.position.toArray().map(rounded) as Vec3,
        rotation: [x, y, z].map((angle) => rounded(MathUtils.radToDeg(angle))),
        scale: group.scale.toArray().map(rounded) as Vec3,
      });
    });
  }

  /** Hold a node, or none. */
  hold(nodeId: string | null): void {
    this.nodeId = nodeId;
    const group = nodeId ? this.world.plant.built.get(nodeId)?.group : undefined;
    if (group) this.controls.attach(group);
    else this.controls.detach();
    this.world.invalidate();
  }

  use(tool: Tool, snap: boolean): void {
    this.controls.setMode(tool);
    this.controls.setTranslationSnap(snap ? SNAP_M : null);
    this.controls.setRotationSnap(snap ? MathUtils.degToRad(SNAP_DEGREES) : null);
    this.controls.setScaleSnap(snap ? SNAP_SCALE : null);
    this.world.invalidate();
  }

  close(): void {
    this.controls.detach();
    this.helper.removeFromParent();
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
