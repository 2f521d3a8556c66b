// What stands under the mouse.
import { type Camera, type Object3D, Raycaster, Vector2, type Vector3 } from "three";

/** Return the nearest shown mesh below `root` that an event of the canvas points at. */
export function hitBy(event: MouseEvent, canvas: HTMLCanvasElement, camera: Camera, root: Object3D): { object: Object3D; point: Vector3 } | null {
  const area = canvas.getBoundingClientRect();
  const at = new Vector2(((event.clientX - area.left) / area.width) * 2 - 1, 1 - ((event.clientY - area.top) / area.height) * 2);
  const ray = new Raycaster();
  ray.setFromCamera(at, camera);
  const hits = ray.intersectObject(root, true);
  return hits.find((one) => isShown(one.object) && "isMesh" in one.object) ?? null;
}

function isShown(object: Object3D): boolean {
  for (let at: Object3D | null = object; at; at = at.parent) if (!at.visible) return false;
  return true;
}
