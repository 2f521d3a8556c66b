// The 3D picture of a scene. It draws only when something changed, and coarser while something moves on a
// machine that is slow to draw.
import { Group, MathUtils, Matrix4, type Mesh, type Object3D, PerspectiveCamera, Vector2, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import type { Api } from "../../shared/api";
import type { Camera, Environment, Scene, Vec3 } from "../../shared/types";
import type { Bound } from "../state";
import { Models } from "./models";
import { type Loads, meshesOf, paint, Plant } from "./plant";
import { Silhouette } from "../silhouette";
import { Leaders } from "./leaders";
import { Outline } from "./outline";
import { hitBy } from "./pick";
import { Spins } from "./spins";
import { coarse } from "./shapes";
import { isSoftware, Stage } from "./stage";

export interface Spot {
  x: number;
  y: number;
  distance: number;
  visible: boolean;
}

export interface Look {
  color: string | null;
  glow: number;
}

const FLY_MS = 650;
const FRAME_BUDGET_MS = 42; // slower than this while moving: fewer pixels
const LEAST_RATIO = 0.4; // while the camera moves
const LEAST_SPIN_RATIO = 0.7; // while only parts turn, which is all the time
const MOTION_MS = 33; // spinning parts need no more than 30 pictures a second,
const SOFTWARE_MOTION_MS = 100; // and 10 where a processor draws them, for it has other work
const SETTLE_MS = 220;
const LOOK_MS = 120; // between looks for where the plant is, while the camera moves
const SMALLEST_PART = 0.005; // of the picture's height: smaller ones a processor leaves out while it moves

export class World {
  readonly renderer: WebGLRenderer;
  readonly camera = new PerspectiveCamera(45, 1, 0.05, 2000);
  readonly controls: OrbitControls;
  readonly stage: Stage;
  readonly plant: Plant;
  readonly leaders = new Leaders();
  /** Called before each picture. */
  onFrame: () => void = () => {};
  onPick: (nodeId: string | null, part: Object3D | null, point: Vector3 | null) => void = () => {};
  onFirst: () => void = () => {};
  /** Whether the models' own movements go on. */
  playing = true;
  /** Pictures drawn so far. */
  frames = 0;
  /** What the last picture took. */
  readonly drawn = { calls: 0, triangles: 0 };
  private readonly models: Models;
  private needed = true;
  private resized = true;
  private closed = false;
  private lastMs = 0;
  private movedMs = 0;
  /** Where the plant is in the picture that is drawn next. */
  readonly silhouette = new Silhouette();
  private outline: { of: Mesh[]; points: Outline } | null = null;
  private readonly seen = new Matrix4();
  private seenMs = 0;
  private fly: { from: Vector3; to: Vector3; target: Vector3; aim: Vector3; began: number } | null = null;
  private readonly spins = new Spins();
  private readonly size = { width: 1, height: 1 };
  private readonly motionMs: number;
  private ratio: number;
  private restRatio: number;
  private moveRatio: number;
  private settled = true;
  private surroundings: { of: Environment; dark: boolean } | null = null;
  private fits = false; // nobody has moved the camera since everything was brought into view
  private cost = 0;
  private radius = 5;
  private readonly point = new Vector3();
  private readonly observer: ResizeObserver;

  /** Draws into `canvas`. Throws where there is no WebGL. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    api: Api,
    loads: Omit<Loads, "onChange">,
  ) {
    const software = isSoftware();
    // Without alpha the page need not blend the picture with what lies behind it.
    const wanted = { alpha: false, antialias: !software, powerPreference: "high-performance" } as const;
    const context = canvas.getContext("webgl2", wanted) as WebGL2RenderingContext | null;
    if (!context) throw new Error("no WebGL 2");
    this.renderer = new WebGLRenderer({ canvas, context });
    this.stage = new Stage(this.renderer, software);
    this.models = new Models(api, software);
    this.plant = new Plant(this.models, software, { ...loads, onChange: () => this.loaded() });
    this.stage.scene.add(this.plant.root);
    this.motionMs = software ? SOFTWARE_MOTION_MS : MOTION_MS;
    this.restRatio = Math.min(devicePixelRatio, software ? 1 : 2);
    this.moveRatio = software ? 0.6 : this.restRatio;
    this.ratio = this.restRatio;
    if (software) coarse();
    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, { enableDamping: true, dampingFactor: 0.12, zoomToCursor: true, maxPolarAngle: Math.PI * 0.495, minDistance: 0.3 });
    this.controls.addEventListener("change", () => this.moved());
    this.controls.addEventListener("start", () => (this.fly = null, this.fits = false));
    canvas.addEventListener("dblclick", (event) => this.pick(event, true));
    this.listenForClicks();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement!);
    this.resize();
    this.renderer.setAnimationLoop((ms) => this.frame(ms));
  }

  close(): void {
    this.closed = true;
    this.observer.disconnect();
    this.renderer.setAnimationLoop(null);
    this.controls.dispose();
    this.models.dispose();
    this.renderer.dispose();
  }

  /** Have a picture drawn. */
  invalidate(): void {
    this.needed = true;
  }

  /** Something cast a shadow elsewhere than before. */
  changed(): void {
    this.renderer.shadowMap.needsUpdate = true;
    this.needed = true;
  }

  show(scene: Scene, dark: boolean): void {
    this.plant.show(scene);
    this.leaders.color(dark ? "#b3bfcc" : "#4b5868");
    this.surroundings = { of: scene.environment, dark };
    this.surround();
  }

  /** A model stands: once all do, the plant has its size. */
  private loaded(): void {
    this.changed();
    if (this.plant.waits) return;
    this.surround();
    if (this.fits) this.home();
  }

  private surround(): void {
    const box = this.plant.box();
    this.radius = Math.max(box.getSize(new Vector3()).length() / 2, 1);
    const { of, dark } = this.surroundings!;
    this.stage.set(of, dark, this.radius, box.getCenter(new Vector3()), this.plant.hasFloor);
    this.camera.far = this.radius * 40;
    this.camera.near = Math.max(this.radius / 400, 0.01);
    this.controls.maxDistance = this.radius * 8;
    this.camera.updateProjectionMatrix();
    this.changed();
  }

  /** Return the distance beyond which cards shrink. */
  get far(): number {
    return Math.max(this.camera.position.distanceTo(this.controls.target) * 1.6, this.radius * 0.8);
  }

  private moved(): void {
    this.movedMs = performance.now();
    this.needed = true;
  }

  private resize(): void {
    const parent = this.canvas.parentElement;
    if (parent === null) return; // the page has moved on
    const { clientWidth, clientHeight } = parent;
    this.size.width = Math.max(clientWidth, 1);
    this.size.height = Math.max(clientHeight, 1);
    this.camera.aspect = this.size.width / this.size.height;
    this.camera.zoom = Math.min(1, this.camera.aspect / 1.15); // upright screens see as much across
    this.leaders.resize(this.size.width, this.size.height);
    this.camera.updateProjectionMatrix();
    this.scale(this.ratio);
  }

  /** Draw the next picture with other pixels; until then the one that is shown stays, or there were none. */
  private scale(ratio: number): void {
    this.ratio = ratio;
    this.needed = this.resized = true;
  }

  private frame(ms: number): void {
    if (this.closed || !this.canvas.isConnected) return; // the page has moved on
    const elapsed = ms - this.lastMs;
    const turning = this.spins.size > 0 || (this.playing && this.plant.hasClips);
    const spinning = turning && elapsed >= this.motionMs;
    if (this.fly) this.flyOn(ms);
    this.controls.update();
    this.camera.updateMatrixWorld();
    const settled = ms - this.movedMs > SETTLE_MS && this.fly === null;
    if (settled !== this.settled) {
      this.settled = settled;
      this.cost = 0;
      this.scale(settled ? this.restRatio : Math.min(this.ratio, this.moveRatio));
    }
    if (!this.needed && !spinning) return;
    this.needed = false;
    this.spins.advance(Math.min(elapsed, 200));
    if (this.playing) this.plant.advance(Math.min(elapsed, 200));
    const moving = !settled || turning;
    const between = elapsed < 500 ? elapsed : this.motionMs;
    this.lastMs = ms;
    if (this.stage.software) this.plant.leaveOut(this.camera, settled ? 0 : SMALLEST_PART);
    if (this.resized) {
      this.resized = false;
      this.renderer.setPixelRatio(this.ratio);
      this.renderer.setSize(this.size.width, this.size.height, false);
    }
    this.lookAround(ms, settled);
    // First, for the leader lines are part of the picture. Moving the cards is work for the browser, too.
    if (settled || !this.stage.software || this.frames % 2 === 0) this.onFrame();
    this.renderer.render(this.stage.scene, this.camera);
    this.drawn.calls = this.renderer.info.render.calls;
    this.drawn.triangles = this.renderer.info.render.triangles;
    this.leaders.render(this.renderer);
    this.frames += 1;
    if (moving) this.adapt(between, settled);
    if (this.frames === 1) this.first();
  }

  /** Find where the plant is, when there is another one or the camera moved; while it moves not with every picture. */
  private lookAround(ms: number, settled: boolean): void {
    const meshes = this.plant.all();
    const view = new Matrix4().multiplyMatrices(this.camera.projectionMatrix, this.camera.matrixWorldInverse);
    const same = this.outline?.of === meshes;
    if (same && (this.seen.equals(view) || (!settled && ms - this.seenMs < LOOK_MS))) return;
    this.seenMs = ms;
    this.seen.copy(view);
    if (!same) this.outline = { of: meshes, points: new Outline(meshes) };
    this.outline!.points.draw(this.silhouette, this.camera, this.size.width, this.size.height);
  }

  private adapt(elapsed: number, settled: boolean): void {
    this.cost = this.cost === 0 ? elapsed : this.cost * 0.85 + elapsed * 0.15;
    const least = settled ? LEAST_SPIN_RATIO : LEAST_RATIO;
    if (this.cost <= (settled ? this.motionMs * 1.3 : FRAME_BUDGET_MS) || this.ratio <= least) return;
    this.cost = 0;
    const ratio = Math.max(this.ratio * 0.85, least);
    if (settled) this.restRatio = ratio;
    else this.moveRatio = ratio;
    this.scale(ratio);
  }

  private first(): void {
    this.onFirst();
    setTimeout(() => {
      if (this.closed) return;
      if (!this.stage.software) this.stage.reflect();
      this.needed = true;
    }, 300);
  }

  /** Colour a part of a node, or take its colour away. */
  colour(nodeId: string, part: string | null | undefined, look: Look): void {
    const object = this.plant.part(nodeId, part);
    if (!object) return;
    for (const mesh of meshesOf(object)) paint(mesh, look.color, look.glow);
    this.needed = true;
  }

  setVisible(nodeId: string, part: string | null | undefined, visible: boolean): void {
    const object = this.plant.part(nodeId, part);
    if (!object || object.visible === visible) return;
    object.visible = visible;
    this.changed();
  }

  /** Turn a part at degrees a second; 0 lets it stand. */
  motion(bound: Bound, degrees: number): void {
    const part = this.plant.part(bound.node.id, bound.binding.anchor.node);
    const target = part instanceof Group && part.userData["nodeId"] ? (this.plant.built.get(bound.node.id)?.body ?? null) : part;
    this.spins.turn(bound.id, target, bound.binding.display.axis ?? "y", degrees);
  }

  /** Let all parts stand but those of `kept`. */
  forgetMotions(kept: ReadonlySet<string>): void {
    this.spins.keep(kept);
  }

  /** Return where a binding's anchor is on the screen. */
  spot(bound: Bound): Spot | null {
    const point = this.plant.anchor(bound, this.point);
    return point && this.project(point);
  }

  /** Return where a place of the scene is on the screen. */
  project(point: Vector3): Spot {
    const distance = point.distanceTo(this.camera.position);
    const seen = point.clone().project(this.camera);
    return {
      x: ((seen.x + 1) / 2) * this.size.width,
      y: ((1 - seen.y) / 2) * this.size.height,
      distance,
      visible: seen.z > -1 && seen.z < 1,
    };
  }

  private listenForClicks(): void {
    const from = new Vector2();
    this.canvas.addEventListener("pointerdown", (event) => from.set(event.clientX, event.clientY));
    this.canvas.addEventListener("click", (event) => {
      if (from.distanceTo(new Vector2(event.clientX, event.clientY)) < 5) this.pick(event, false);
    });
  }

  private pick(event: MouseEvent, focus: boolean): void {
    const hit = hitBy(event, this.canvas, this.camera, this.plant.root);
    const nodeId = this.plant.nodeOf(hit?.object ?? null);
    this.onPick(nodeId, hit?.object ?? null, hit?.point ?? null);
    if (focus) this.focus(nodeId);
  }

  /** Bring a node, or everything, into view. */
  focus(nodeId: string | null): void {
    const box = this.plant.box(nodeId);
    const centre = box.getCenter(new Vector3());
    const reach = Math.max(box.getSize(new Vector3()).length() / 2, 0.4);
    const angle = MathUtils.degToRad(this.camera.fov / 2);
    const narrow = Math.min(this.camera.aspect / this.camera.zoom, 1) * this.camera.zoom;
    const away = (reach / Math.sin(angle) / narrow) * (nodeId ? 1.25 : 0.92);
    const direction = this.camera.position.clone().sub(this.controls.target);
    if (direction.lengthSq() < 1e-6) direction.set(1, 0.7, 1);
    this.flyTo(centre.clone().add(direction.setLength(away)), centre);
  }

  /** Look at everything from where a plant looks best, at once. */
  home(): void {
    this.camera.position.set(0.75, 0.62, 1);
    this.controls.target.set(0, 0, 0);
    this.focus(null);
    this.land();
    this.fits = true;
  }

  view(camera: Camera, atOnce = false): void {
    this.camera.fov = camera.fov ?? 45;
    this.camera.updateProjectionMatrix();
    this.flyTo(new Vector3(...camera.position), new Vector3(...camera.target));
    if (atOnce) this.land();
  }

  /** Return the present view, rounded to millimetres. */
  here(name: string): Camera {
    const rounded = (v: Vector3): Vec3 => v.toArray().map((n) => Math.round(n * 1000) / 1000) as Vec3;
    return { name, position: rounded(this.camera.position), target: rounded(this.controls.target), fov: Math.round(this.camera.fov) };
  }

  /** Turn about the target, in degrees. */
  orbit(across: number, up: number): void {
    this.fits = false;
    const offset = this.camera.position.clone().sub(this.controls.target);
    const tilt = Math.acos(MathUtils.clamp(offset.y / offset.length(), -1, 1));
    const wanted = MathUtils.clamp(tilt - MathUtils.degToRad(up), 0.05, Math.PI * 0.49);
    const side = new Vector3(0, 1, 0).cross(offset).normalize();
    offset.applyAxisAngle(side, wanted - tilt).applyAxisAngle(new Vector3(0, 1, 0), MathUtils.degToRad(across));
    this.camera.position.copy(this.controls.target).add(offset);
    this.moved();
  }

  /** Come nearer (factor < 1) or go away. */
  zoom(factor: number): void {
    this.fits = false;
    const offset = this.camera.position.clone().sub(this.controls.target).multiplyScalar(factor);
    this.camera.position.copy(this.controls.target).add(offset);
    this.moved();
  }

  private flyTo(to: Vector3, aim: Vector3): void {
    this.fits = false;
    this.fly = { from: this.camera.position.clone(), to, target: this.controls.target.clone(), aim, began: performance.now() };
    this.moved();
  }

  private land(): void {
    if (this.fly) this.flyOn(this.fly.began + FLY_MS);
  }

  private flyOn(ms: number): void {
    const { from, to, target, aim, began } = this.fly!;
    const part = MathUtils.clamp((ms - began) / FLY_MS, 0, 1);
    const eased = 1 - (1 - part) ** 3;
    this.camera.position.lerpVectors(from, to, eased);
    this.controls.target.lerpVectors(target, aim, eased);
    this.controls.update();
    this.moved();
    if (part >= 1) this.fly = null;
  }
}
