// The nodes of a scene as three.js objects, and what widgets do to them: colour, visibility, motion.
//
// Invariant: a material that is coloured is a copy of the node's own, and goes when the colour goes.
import {
  AnimationMixer, Box3, BoxGeometry, BufferAttribute, Color, EdgesGeometry, Euler, Group, LineBasicMaterial, LineSegments, type Material, MathUtils, Mesh,
  MeshLambertMaterial, MeshStandardMaterial, type Object3D, type PerspectiveCamera, Sphere, Vector3,
} from "three";
import type { Asset, Primitive, Scene, SceneNode, Vec3 } from "../../shared/types";
import type { Bound } from "../state";
import { type Models, subNode } from "./models";
import { shape } from "./shapes";

const BALL = new Sphere();
const MARK = new Color("#d9480f");
const BOX = new BoxGeometry(1, 1, 1);
BOX.setAttribute("color", new BufferAttribute(new Float32Array(24 * 3).fill(1), 3));

export interface Built {
  node: SceneNode;
  /** Placed by the node; holds the body and the children's groups. */
  group: Group;
  /** What the node itself looks like. */
  body: Object3D | null;
  /** Plays what the model's file has it do. */
  mixer: AnimationMixer | null;
  /** Made of this: a change of it makes the body anew. */
  made: string;
}

export interface Loads {
  onProgress(done: number, total: number): void;
  onBroken(broken: ReadonlyMap<string, string>): void;
  onChange(): void;
}

export class Plant {
  readonly root = new Group();
  readonly built = new Map<string, Built>();
  private readonly materials = new Map<string, Material>();
  private readonly broken = new Map<string, string>();
  private meshes: Mesh[] | null = null;
  private left = 0;
  private total = 0;
  private done = 0;

  constructor(
    private readonly models: Models,
    private readonly plain: boolean,
    private readonly loads: Loads,
  ) {}

  /** Make what is new, move what moved, drop what is gone. */
  show(scene: Scene): void {
    const known = new Set(scene.nodes.map((node) => node.id));
    for (const [id, built] of this.built) {
      if (known.has(id)) continue;
      built.group.removeFromParent();
      this.built.delete(id);
      this.meshes = null;
      this.broken.delete(id);
    }
    const assets = new Map(scene.assets.map((asset) => [asset.id, asset]));
    for (const node of scene.nodes) this.node(node, assets);
    for (const { node, group } of this.built.values()) {
      const parent = node.parent ? this.built.get(node.parent)?.group : undefined;
      (parent ?? this.root).add(group);
    }
    this.root.updateMatrixWorld(true);
    this.loads.onBroken(new Map(this.broken));
  }

  private node(node: SceneNode, assets: Map<string, Asset>): void {
    const asset = node.asset_id ? assets.get(node.asset_id) : undefined;
    const made = JSON.stringify([node.primitive, node.asset_id, asset?.url]);
    let built = this.built.get(node.id);
    if (!built) {
      built = { node, group: new Group(), body: null, mixer: null, made: "" };
      built.group.userData["nodeId"] = node.id;
      this.built.set(node.id, built);
    }
    built.node = node;
    place(built.group, node);
    built.group.visible = node.visible;
    if (built.made === made) return;
    built.made = made;
    this.broken.delete(node.id);
    this.wear(built, node.primitive ? this.primitive(node.primitive) : null);
    if (asset) void this.load(built, asset);
    else if (node.asset_id) this.fail(built, "The model was deleted.");
  }

  private wear(built: Built, body: Object3D | null): void {
    built.body?.removeFromParent();
    built.body = body;
    built.mixer = null;
    this.meshes = null;
    if (body) built.group.add(body);
  }

  private primitive(primitive: Primitive): Object3D {
    const mesh = new Mesh(shape(primitive), this.material(primitive));
    mesh.castShadow = primitive.type !== "floor" && primitive.opacity > 0.5;
    mesh.receiveShadow = !this.plain || primitive.type === "floor";
    return mesh;
  }

  private material({ color, opacity, type }: Primitive): Material {
    const key = `${color} ${opacity} ${type === "floor"}`;
    let found = this.materials.get(key);
    if (!found) {
      const common = { color, opacity, transparent: opacity < 1, vertexColors: true, depthWrite: opacity >= 1 };
      found = this.plain
        ? new MeshLambertMaterial(common)
        : new MeshStandardMaterial({ ...common, roughness: type === "floor" ? 0.95 : 0.48, metalness: type === "floor" ? 0 : 0.18 });
      this.materials.set(key, found);
    }
    return found;
  }

  private async load(built: Built, asset: Asset): Promise<void> {
    const { made } = built;
    this.wear(built, mark(false));
    this.total += 1;
    this.loads.onProgress(this.done, this.total);
    try {
      const { model, clips } = await this.models.copy(asset);
      if (built.made !== made) return;
      model.traverse((object) => {
        object.castShadow = true;
        object.receiveShadow = !this.plain;
      });
      this.wear(built, model);
      if (clips.length > 0) {
        built.mixer = new AnimationMixer(model);
        for (const clip of clips) built.mixer.clipAction(clip).play();
      }
    } catch (error) {
      if (built.made === made) this.fail(built, error instanceof Error ? error.message : String(error));
    } finally {
      this.done += 1;
      this.loads.onProgress(this.done, this.total);
      this.root.updateMatrixWorld(true);
      this.loads.onChange();
    }
  }

  private fail(built: Built, reason: string): void {
    this.wear(built, mark(true));
    this.broken.set(built.node.id, reason);
    this.loads.onBroken(new Map(this.broken));
  }

  /** Whether models are being loaded. */
  get waits(): boolean {
    return this.done < this.total;
  }

  /** Whether a model has movements of its own. */
  get hasClips(): boolean {
    return [...this.built.values()].some(({ mixer }) => mixer !== null);
  }

  advance(elapsedMs: number): void {
    for (const { mixer } of this.built.values()) mixer?.update(elapsedMs / 1000);
  }

  /** Return the meshes of all nodes. */
  all(): Mesh[] {
    if (!this.meshes) {
      this.meshes = [];
      this.root.traverse((object) => object instanceof Mesh && this.meshes!.push(object as Mesh));
    }
    return this.meshes;
  }

  /** Leave out the meshes that are lower than a part of the picture's height; 0: none. */
  leaveOut(camera: PerspectiveCamera, least: number): void {
    if (least === 0 && this.left === 0) return;
    this.left = 0;
    // A sphere of radius r at distance d is 2r / d / span parts of the picture high.
    const span = (2 * Math.tan(MathUtils.degToRad(camera.fov / 2))) / camera.zoom;
    for (const mesh of this.all()) {
      if (!mesh.geometry.boundingSphere) mesh.geometry.computeBoundingSphere();
      BALL.copy(mesh.geometry.boundingSphere!).applyMatrix4(mesh.matrixWorld);
      const small = least > 0 && 2 * BALL.radius < least * span * BALL.center.distanceTo(camera.position);
      mesh.layers.mask = small ? 0 : 1;
      if (small) this.left += 1;
    }
  }

  /** Whether a floor of the scene's own takes the shadows. */
  get hasFloor(): boolean {
    return [...this.built.values()].some(({ node }) => node.visible && node.primitive?.type === "floor");
  }

  /** Return what a binding hangs on: the named sub-node of the model, else the node's group. */
  part(nodeId: string, name: string | null | undefined): Object3D | null {
    const built = this.built.get(nodeId);
    if (!built) return null;
    return (name && built.body && subNode(built.body, name)) || built.group;
  }

  /** Return where a binding's anchor is in the scene. */
  anchor({ node, binding }: Bound, into = new Vector3()): Vector3 | null {
    const part = this.part(node.id, binding.anchor.node);
    if (!part) return null;
    const offset = binding.anchor.position ?? [0, 0, 0];
    into.set(...offset);
    if (offset.every((length) => length === 0)) {
      // Without an offset: the middle of the top, where a label would be stuck.
      const box = partBox(part);
      if (!box.isEmpty()) return into.set((box.min.x + box.max.x) / 2, box.max.y, (box.min.z + box.max.z) / 2);
    }
    return part.localToWorld(into);
  }

  /** Return what is missed of a node's models: parts that bindings name and that are not there. */
  lost(node: SceneNode): string[] {
    const body = this.built.get(node.id)?.body;
    if (!node.asset_id || !body || this.broken.has(node.id)) return [];
    const names = node.widgets.flatMap(({ anchor, display }) => [anchor.node, display.node]);
    return names.filter((name): name is string => !!name && !subNode(body, name));
  }

  /** Return the node that an object of the scene belongs to. */
  nodeOf(object: Object3D | null): string | null {
    for (let at = object; at; at = at.parent) {
      const id: unknown = at.userData["nodeId"];
      if (typeof id === "string") return id;
    }
    return null;
  }

  /** Return the box about a node, or about everything but floors. */
  box(nodeId?: string | null): Box3 {
    const box = new Box3();
    if (nodeId) return box.setFromObject(this.built.get(nodeId)?.group ?? this.root);
    for (const { node, body } of this.built.values()) {
      if (body && node.visible && node.primitive?.type !== "floor") box.expandByObject(body);
    }
    if (box.isEmpty()) box.setFromObject(this.root);
    return box.isEmpty() ? new Box3(new Vector3(-2, 0, -2), new Vector3(2, 2, 2)) : box;
  }
}

/** Return the meshes of a node or of one of its parts, but not those of nodes below it. */
export function meshesOf(part: Object3D): Mesh[] {
  const found: Mesh[] = [];
  const walk = (object: Object3D): void => {
    if (object instanceof Mesh) found.push(object);
    for (const child of object.children) if (!child.userData["nodeId"]) walk(child);
  };
  walk(part);
  return found;
}

/** Return the box about a part without the nodes below it. */
function partBox(part: Object3D): Box3 {
  const box = new Box3();
  for (const mesh of meshesOf(part)) {
    mesh.geometry.boundingBox ?? mesh.geometry.computeBoundingBox();
    box.union(mesh.geometry.boundingBox!.clone().applyMatrix4(mesh.matrixWorld));
  }
  return box;
}

/** Colour a mesh; null gives it its own material back. */
export function paint(mesh: Mesh, color: string | null, glow: number): void {
  const own = (mesh.userData["own"] as Material | undefined) ?? (mesh.material as Material);
  if (mesh.userData["paint"] === `${color} ${glow}`) return;
  mesh.userData["paint"] = `${color} ${glow}`;
  if (mesh.userData["own"]) (mesh.material as Material).dispose();
  if (color === null) {
    mesh.material = own;
    delete mesh.userData["own"];
    return;
  }
  const copy = (Array.isArray(own) ? own[0] : own).clone() as MeshStandardMaterial;
  copy.color?.set(color);
  copy.emissive?.set(color).multiplyScalar(glow);
  mesh.userData["own"] = own;
  mesh.material = copy;
}

/** Put a group where its node says. */
export function place(group: Object3D, node: { position: Vec3; rotation: number[]; scale: Vec3 }): void {
  group.position.set(...node.position);
  group.scale.set(...node.scale);
  const [x = 0, y = 0, z = 0, w] = node.rotation;
  if (w !== undefined) group.quaternion.set(x, y, z, w).normalize();
  else group.rotation.copy(new Euler(MathUtils.degToRad(x), MathUtils.degToRad(y), MathUtils.degToRad(z), "XYZ"));
}

/** A wire box that stands for a model: grey while it loads, marked when it cannot be shown. */
function mark(failed: boolean): Object3D {
  const group = new Group();
  const color = failed ? MARK : new Color("#7b8794");
  const lines = new LineSegments(new EdgesGeometry(BOX), new LineBasicMaterial({ color }));
  const fill = new Mesh(BOX, new MeshLambertMaterial({ color, transparent: true, opacity: failed ? 0.25 : 0.1, depthWrite: false }));
  group.add(lines, fill);
  group.position.y = 0.5;
  return group;
}
