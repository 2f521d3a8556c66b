// A node's rotation in the two forms that a scene may hold: degrees about x, y and z, or a quaternion.
//
// Invariant: a change of form is no change of orientation, and nothing changes the form but who asks for it.
import { Euler, MathUtils, Quaternion } from "three";
import type { Vec3 } from "../shared/types";

export type Form = "degrees" | "quaternion";

const DEGREE_PLACES = 4;
const PART_PLACES = 6;

function rounded(value: number, places: number): number {
  return Number(value.toFixed(places)) + 0; // + 0: no minus zero
}

export function formOf(rotation: number[]): Form {
  return rotation.length === 4 ? "quaternion" : "degrees";
}

/** Return the orientation that a rotation of either form means, as a unit quaternion. */
export function orientation(rotation: number[]): Quaternion {
  const [x = 0, y = 0, z = 0, w] = rotation;
  if (w !== undefined) return new Quaternion(x, y, z, w).normalize();
  return new Quaternion().setFromEuler(new Euler(...([x, y, z].map((angle) => MathUtils.degToRad(angle)) as Vec3), "XYZ"));
}

/** Return an orientation as a scene holds it: degrees to 4 places, a quaternion's parts to 6. */
export function written(turned: Quaternion, form: Form): number[] {
  if (form === "quaternion") return turned.toArray().map((part) => rounded(part, PART_PLACES));
  const { x, y, z } = new Euler().setFromQuaternion(turned, "XYZ");
  return [x, y, z].map((angle) => rounded(MathUtils.radToDeg(angle), DEGREE_PLACES));
}

/** Return the same orientation in another form; what has the form already stays as it is. */
export function inForm(rotation: number[], form: Form): number[] {
  return formOf(rotation) === form ? rotation : written(orientation(rotation), form);
}

/** Return the rotation with one of its numbers replaced; four zeros, which turn nothing, are refused. */
export function withPart(rotation: number[], at: number, value: number): number[] {
  const next = rotation.map((old, index) => (index === at ? value : old));
  return next.length === 4 && next.every((part) => part === 0) ? rotation : next;
}
