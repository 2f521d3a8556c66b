// The geometry of our own primitives. A vertex colour tells a part's tone (1 = the primitive's colour), so
// that each is one mesh with one material. Equal primitives share their geometry.
import {
  BoxGeometry, BufferAttribute, type BufferGeometry, CurvePath, CylinderGeometry, LatheGeometry, LineCurve3,
  Matrix4, PlaneGeometry, QuadraticBezierCurve3, SphereGeometry, TorusGeometry, TubeGeometry, Vector2, Vector3,
} from "three";
import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";
import { mergeGeometries, mergeVertices } from "three/addons/utils/BufferGeometryUtils.js";
import type { Primitive, Vec3 } from "../../shared/types";

let round = 32; // segments of a large circle,
let small = 20; // and of a small one
let dome = [0, 0.2, 0.4, 0.6, 0.75, 0.88, 0.96, 1]; // radii at which a tank's head bends
const LIGHT = 1.12;
const DARK = 0.42;
const made = new Map<string, BufferGeometry>();
const MOST_KEPT = 500;

/** Make what is made from now on of fewer triangles, for machines that draw slowly. */
export function coarse(): void {
  round = 12;
  small = 8;
  dome = [0, 0.45, 0.75, 0.93, 1];
}

/** Return the geometry of a primitive, its size included. */
export function shape(primitive: Primitive): BufferGeometry {
  const { type, size, path, radius } = primitive;
  const key = JSON.stringify([type, size, path, radius]);
  let found = made.get(key);
  if (!found) {
    if (made.size >= MOST_KEPT) made.clear();
    found = merged(parts(primitive));
    made.set(key, found);
  }
  return found;
}

function parts({ type, size, path, radius }: Primitive): BufferGeometry[] {
  const [x, y, z] = size;
  switch (type) {
    case "box":
      return [toned(moved(block(x, y, z, 2, Math.min(x, y, z) * 0.06), 0, y / 2, 0), 1)];
    case "cylinder":
      return cylinder(size);
    case "sphere":
      return [toned(new SphereGeometry(0.5, round, round / 2).scale(x, y, z), 1)];
    case "tank":
      return tank(size);
    case "conveyor":
      return conveyor(size);
    case "pipe":
      return pipe(path ?? [[0, 0, 0], [1, 0, 0]], radius ?? 0.05);
    case "floor":
      return [toned(new PlaneGeometry(x, z).rotateX(-Math.PI / 2), 1)];
  }
}

/** A box with rounded edges, where there are triangles to spare. */
function block(x: number, y: number, z: number, segments: number, bend: number): BufferGeometry {
  return small > 8 ? new RoundedBoxGeometry(x, y, z, segments, bend) : new BoxGeometry(x, y, z);
}

/** A solid of revolution whose profile is given in parts of the radius and of the height. */
function turned(profile: [number, number][], [x, y, z]: Vec3): BufferGeometry {
  const points = profile.map(([r, h]) => new Vector2(r * 0.5, h));
  return new LatheGeometry(points, round).scale(x, y, z);
}

function cylinder(size: Vec3): BufferGeometry[] {
  const bevel = Math.min(0.04, (0.04 * Math.min(size[0], size[2])) / size[1]);
  return [toned(turned([[0, 0], [0.96, 0], [1, bevel], [1, 1 - bevel], [0.96, 1], [0, 1]], size), 1)];
}

function tank(size: Vec3): BufferGeometry[] {
  const [x, y, z] = size;
  const width = Math.min(x, z);
  const leg = Math.min(y * 0.16, width * 0.4);
  const head = Math.min(width * 0.22, y * 0.2);
  const bottom = (leg * 0.6) / y;
  const low = bottom + head / y;
  const high = 1 - head / y;
  const bent = (from: number, to: number): [number, number][] =>
    dome.map((r) => [r, from + (to - from) * (1 - Math.sqrt(1 - r * r))]);
  const body = turned([...bent(bottom, low), ...bent(1, high).reverse()], size);
  const found = [toned(body, 1)];
  for (const h of [low, high, (low + high) / 2]) {
    const ring = new TorusGeometry(0.5, 0.012, small > 8 ? 4 : 3, round).rotateX(Math.PI / 2).scale(x, width, z);
    found.push(toned(moved(ring, 0, h * y, 0), h === (low + high) / 2 ? LIGHT : 0.8));
  }
  for (let i = 0; i < 4; i++) {
    const angle = Math.PI / 4 + (i * Math.PI) / 2;
    const post = new CylinderGeometry(width * 0.035, width * 0.035, low * y, small > 8 ? 8 : 5);
    found.push(toned(moved(post, Math.cos(angle) * x * 0.44, (low * y) / 2, Math.sin(angle) * z * 0.44), DARK));
  }
  const hatch = new CylinderGeometry(width * 0.12, width * 0.12, y * 0.03, small);
  found.push(toned(moved(hatch, 0, y * 0.992, 0), 0.7));
  return found;
}

function conveyor([x, y, z]: Vec3): BufferGeometry[] {
  const belt = Math.min(y * 0.3, 0.22);
  const top = y - belt / 2;
  const found = [
    toned(moved(new BoxGeometry(x - belt, belt, z * 0.82), 0, top, 0), 0.1),
  ];
  for (const side of [-1, 1]) {
    const drum = new CylinderGeometry(belt / 2, belt / 2, z * 0.82, small).rotateX(Math.PI / 2);
    found.push(toned(moved(drum, (side * (x - belt)) / 2, top, 0), 0.1));
    found.push(toned(moved(block(x, belt * 0.9, z * 0.07, 1, 0.01), 0, top, side * z * 0.455), 1));
  }
  const pairs = Math.max(2, Math.round(x / 1.5) + 1);
  for (let i = 0; i < pairs; i++) {
    const at = -x / 2 + x * 0.08 + (i * x * 0.84) / (pairs - 1);
    for (const side of [-1, 1]) {
      const leg = new BoxGeometry(0.06, y - belt, 0.06);
      found.push(toned(moved(leg, at, (y - belt) / 2, side * z * 0.43), DARK));
    }
    found.push(toned(moved(new BoxGeometry(0.04, 0.04, z * 0.86), at, (y - belt) * 0.35, 0), DARK));
  }
  return found;
}

function pipe(path: Vec3[], radius: number): BufferGeometry[] {
  const points = path.map((point) => new Vector3(...point)).filter((point, i, all) => i === 0 || point.distanceTo(all[i - 1]!) > 1e-6);
  if (points.length < 2) return [toned(new SphereGeometry(radius, 16, 8), 1)];
  const curve = new CurvePath<Vector3>();
  let from = points[0]!;
  for (let i = 1; i < points.length - 1; i++) {
    const corner = points[i]!;
    const [before, after] = [points[i - 1]!, points[i + 1]!];
    const bend = Math.min(radius * 3.5, corner.distanceTo(before) * 0.45, corner.distanceTo(after) * 0.45);
    const begin = corner.clone().lerp(before, bend / corner.distanceTo(before));
    const end = corner.clone().lerp(after, bend / corner.distanceTo(after));
    curve.add(new LineCurve3(from, begin));
    curve.add(new QuadraticBezierCurve3(begin, corner, end));
    from = end;
  }
  curve.add(new LineCurve3(from, points.at(-1)!));
  const found = [toned(new TubeGeometry(curve as never, Math.min(14 * (points.length - 1), 300), radius, round / 2), 1)];
  for (const [end, next] of [[points[0]!, points[1]!], [points.at(-1)!, points.at(-2)!]] as const) {
    const flange = new CylinderGeometry(radius * 1.55, radius * 1.55, radius * 0.5, small);
    found.push(toned(aimed(flange, end, next), 0.75));
  }
  return found;
}

function aimed(geometry: BufferGeometry, from: Vector3, to: Vector3): BufferGeometry {
  const matrix = new Matrix4().lookAt(from, to, Math.abs(to.y - from.y) > from.distanceTo(to) * 0.99 ? new Vector3(1, 0, 0) : new Vector3(0, 1, 0));
  return geometry.rotateX(Math.PI / 2).applyMatrix4(matrix).translate(from.x, from.y, from.z);
}

function moved(geometry: BufferGeometry, x: number, y: number, z: number): BufferGeometry {
  return geometry.translate(x, y, z);
}

/** Tone a geometry, whose triangles share their corners: a processor computes each corner once. */
function toned(geometry: BufferGeometry, tone: number): BufferGeometry {
  const shared = geometry.index ? geometry : mergeVertices(geometry);
  const count = shared.getAttribute("position").count;
  shared.setAttribute("color", new BufferAttribute(new Float32Array(count * 3).fill(tone), 3));
  return shared;
}

function merged(geometries: BufferGeometry[]): BufferGeometry {
  const found = geometries.length === 1 ? geometries[0]! : mergeGeometries(geometries);
  found.computeBoundingBox();
  found.computeBoundingSphere();
  return found;
}
