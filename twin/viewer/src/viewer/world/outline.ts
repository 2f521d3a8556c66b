// Points on the surfaces of the plant, spread by size, as they are seen on the screen.
import { type BufferGeometry, type Camera, Matrix4, type Mesh, Sphere, Vector3 } from "three";
import type { Silhouette } from "../silhouette";

const MOST = 256; // points kept of a geometry
const BUDGET = 3000; // points of a plant, well below a millisecond a picture
const MOST_TRIANGLES = 20_000; // looked at of a geometry
const FLAT_M = 0.03; // what lies on the floor and is flatter hides nothing
const GOLDEN = 0.618_033_988_75;

const known = new WeakMap<BufferGeometry, Float32Array>();

export class Outline {
  private readonly parts: { mesh: Mesh; points: Float32Array; count: number }[] = [];

  constructor(meshes: Mesh[]) {
    const sized = meshes.filter(isSolid).map((mesh) => ({ mesh, area: reach(mesh) ** 2 }));
    const sum = sized.reduce((all, { area }) => all + area, 0) || 1;
    for (const { mesh, area } of sized) {
      const points = surface(mesh.geometry);
      const count = Math.min(Math.max(Math.round((BUDGET * area) / sum), 2), points.length / 3);
      this.parts.push({ mesh, points, count });
    }
  }

  /** Mark where the plant is seen in a picture of this size. */
  draw(into: Silhouette, camera: Camera, width: number, height: number): void {
    into.clear(width, height);
    const view = new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
    const whole = new Matrix4();
    const point = new Vector3();
    for (const { mesh, points, count } of this.parts) {
      if (!mesh.visible) continue;
      whole.multiplyMatrices(view, mesh.matrixWorld);
      for (let i = 0; i < count; i++) {
        point.fromArray(points, i * 3).applyMatrix4(whole);
        if (point.z > -1 && point.z < 1) into.mark(((point.x + 1) / 2) * width, ((1 - point.y) / 2) * height);
      }
    }
    into.finish();
  }
}

function isSolid(mesh: Mesh): boolean {
  mesh.geometry.boundingBox ?? mesh.geometry.computeBoundingBox();
  const box = mesh.geometry.boundingBox!.clone().applyMatrix4(mesh.matrixWorld);
  return box.max.y - box.min.y > FLAT_M;
}

function reach(mesh: Mesh): number {
  mesh.geometry.boundingSphere ?? mesh.geometry.computeBoundingSphere();
  return new Sphere().copy(mesh.geometry.boundingSphere!).applyMatrix4(mesh.matrixWorld).radius;
}

/** Return points of the triangles, more on large ones; the first ones are spread as well as all. */
function surface(geometry: BufferGeometry): Float32Array {
  let found = known.get(geometry);
  if (!found) {
    found = spread(geometry);
    known.set(geometry, found);
  }
  return found;
}

function spread(geometry: BufferGeometry): Float32Array {
  const position = geometry.getAttribute("position");
  const index = geometry.getIndex();
  if (!position) return new Float32Array(0);
  const triangles = Math.floor((index ?? position).count / 3);
  const step = Math.max(Math.ceil(triangles / MOST_TRIANGLES), 1);
  const [a, b, c] = [new Vector3(), new Vector3(), new Vector3()];
  const read = (triangle: number): void => {
    for (const [i, corner] of [a, b, c].entries()) {
      const at = triangle * 3 + i;
      corner.fromBufferAttribute(position, index ? index.getX(at) : at);
    }
  };
  const sums: number[] = [];
  let sum = 0;
  for (let triangle = 0; triangle < triangles; triangle += step) {
    read(triangle);
    sum += b.clone().sub(a).cross(c.clone().sub(a)).length();
    sums.push(sum);
  }
  if (!(sum > 0)) return new Float32Array(0);
  const points = new Float32Array(MOST * 3);
  for (let i = 0; i < MOST; i++) {
    read(upTo(sums, ((i * GOLDEN) % 1) * sum) * step);
    const [u, v] = [Math.sqrt((i * 0.754_877_666) % 1), (i * 0.569_840_296) % 1];
    a.multiplyScalar(1 - u).addScaledVector(b, u * (1 - v)).addScaledVector(c, u * v).toArray(points, i * 3);
  }
  return points;
}

/** Return the place of the first sum that is not below `value`. */
function upTo(sums: number[], value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
