// Parts that turn about an axis of their own.
import { MathUtils, type Object3D, Quaternion, Vector3 } from "three";

export type Axis = "x" | "y" | "z";

interface Spin {
  part: Object3D;
  axis: Vector3;
  /** Degrees a second. */
  speed: number;
  rest: Quaternion;
  angle: number;
}

export class Spins {
  private readonly spins = new Map<string, Spin>();

  get size(): number {
    return this.spins.size;
  }

  /** Turn a part at degrees a second; 0, or no part, lets it stand. */
  turn(id: string, part: Object3D | null, axis: Axis, speed: number): void {
    const known = this.spins.get(id);
    if (!part || speed === 0) this.spins.delete(id);
    else if (known?.part === part) known.speed = speed;
    else {
      const about = new Vector3(+(axis === "x"), +(axis === "y"), +(axis === "z"));
      this.spins.set(id, { part, axis: about, speed, rest: part.quaternion.clone(), angle: 0 });
    }
  }

  /** Let all stand but those of `ids`. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.spins.keys()) if (!ids.has(id)) this.spins.delete(id);
  }

  advance(elapsedMs: number): void {
    const turn = new Quaternion();
    for (const spin of this.spins.values()) {
      spin.angle = (spin.angle + (spin.speed * elapsedMs) / 1000) % 360;
      spin.part.quaternion.copy(spin.rest).multiply(turn.setFromAxisAngle(spin.axis, MathUtils.degToRad(spin.angle)));
    }
  }
}
