// What surrounds the nodes: light, ground, grid, sky; and how much of it the machine can draw.
import {
  BasicShadowMap, BufferAttribute, BufferGeometry, Color, DirectionalLight, Fog, GridHelper, Group, HemisphereLight, type Material, Mesh,
  PCFShadowMap, PlaneGeometry, PMREMGenerator, Scene, ShaderMaterial, ShadowMaterial, type WebGLRenderer,
} from "three";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
import type { Environment } from "../../shared/types";

const LIGHTS = {
  day: { sky: "#dbeafe", ground: "#b9b3a6", sun: "#fff4e0", ambient: 1.5, direct: 1.9, at: [0.5, 1, 0.35] },
  studio: { sky: "#ffffff", ground: "#aab2bd", sun: "#ffffff", ambient: 1.75, direct: 1.45, at: [0.45, 1, 0.6] },
  dusk: { sky: "#8fa4d0", ground: "#5b4a4a", sun: "#ffb27a", ambient: 1.1, direct: 2.0, at: [0.9, 0.55, 0.3] },
} as const;
const SKIES = {
  light: { day: ["#cfe0f2", "#f4f7fa"], studio: ["#dfe5ec", "#f7f9fb"], dusk: ["#7987ad", "#e6c9b8"] },
  dark: { day: ["#16212e", "#26333f"], studio: ["#11171e", "#232d38"], dusk: ["#161a2b", "#40333a"] },
} as const;

/** Return whether the picture is computed by the processor, which draws a tenth of the pixels. */
export function isSoftware(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

export class Stage {
  readonly scene = new Scene();
  private readonly hemisphere = new HemisphereLight();
  private readonly sun = new DirectionalLight();
  private readonly ground = new Group();
  private readonly sky = new Sky();
  private shadow: Mesh<PlaneGeometry, Material> | null = null;

  constructor(
    private readonly renderer: WebGLRenderer,
    readonly software: boolean,
  ) {
    renderer.shadowMap.enabled = true;
    renderer.shadowMap.type = software ? BasicShadowMap : PCFShadowMap;
    renderer.shadowMap.autoUpdate = false;
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.setScalar(software ? 1024 : 2048);
    this.sun.shadow.bias = -0.0005;
    this.sun.shadow.normalBias = 0.03;
    this.sun.shadow.radius = 4;
    this.scene.add(this.hemisphere, this.sun, this.sun.target, this.ground, this.sky);
  }

  /** Reflections: costly to make, so after the first picture. */
  reflect(): void {
    const generator = new PMREMGenerator(this.renderer);
    this.scene.environment = generator.fromScene(new RoomEnvironment(), 0.04).texture;
    this.scene.environmentIntensity = 0.45;
    generator.dispose();
  }

  /** Set everything for a plant of a radius about a centre. */
  set(environment: Environment, dark: boolean, radius: number, centre: { x: number; y: number; z: number }, hasFloor: boolean): void {
    const light = LIGHTS[environment.light];
    const dim = dark ? 0.72 : 1;
    this.hemisphere.color.set(light.sky);
    this.hemisphere.groundColor.set(light.ground);
    this.hemisphere.intensity = light.ambient * dim;
    this.sun.color.set(light.sun);
    this.sun.intensity = light.direct * dim;
    this.sun.position.set(centre.x + light.at[0] * radius * 2, light.at[1] * radius * 2, centre.z + light.at[2] * radius * 2);
    this.sun.target.position.set(centre.x, 0, centre.z);
    const camera = this.sun.shadow.camera;
    camera.left = camera.bottom = -radius * 1.3;
    camera.right = camera.top = radius * 1.3;
    camera.near = radius * 0.2;
    camera.far = radius * 5;
    camera.updateProjectionMatrix();
    const [top, bottom] = environment.background
      ? [environment.background, environment.background]
      : SKIES[dark ? "dark" : "light"][environment.light];
    this.sky.color(top, bottom);
    if (!this.software) this.scene.fog = new Fog(new Color(bottom).lerp(new Color(top), 0.35), radius * 4, radius * 14);
    this.floor(environment.grid, dark, radius, centre);
    this.shadow!.visible = !(this.software && hasFloor); // each would darken the same pixels
    this.renderer.shadowMap.needsUpdate = true;
  }

  private floor(grid: boolean, dark: boolean, radius: number, centre: { x: number; z: number }): void {
    this.ground.clear();
    this.shadow?.geometry.dispose();
    const span = radius * 2.6;
    this.shadow = new Mesh(new PlaneGeometry(span, span).rotateX(-Math.PI / 2), new ShadowMaterial({ opacity: dark ? 0.4 : 0.2 }));
    this.shadow.position.set(centre.x, -0.004, centre.z);
    this.shadow.receiveShadow = true;
    this.ground.add(this.shadow);
    if (!grid) return;
    const cell = 10 ** Math.max(Math.floor(Math.log10(radius / 3)), 0) * (this.software ? 2 : 1);
    const cells = Math.min(Math.ceil((radius * (this.software ? 3 : 8)) / cell / 2) * 2, 200);
    const color = dark ? "#51606f" : "#9aa6b4";
    const lines = new GridHelper(cells * cell, cells, color, color);
    Object.assign(lines.material, { transparent: true, opacity: dark ? 0.3 : 0.42, depthWrite: false });
    lines.position.set(Math.round(centre.x / cell) * cell, -0.006, Math.round(centre.z / cell) * cell);
    this.ground.add(lines);
  }
}

const FLAT = `
  varying vec3 tone;
  void main() { tone = color; gl_Position = vec4(position.xy, 1.0, 1.0); }`;
const TONE = "varying vec3 tone; void main() { gl_FragColor = vec4(tone, 1.0); }";

/** Two colours behind everything, drawn after what is solid: only the pixels that nothing covers. */
class Sky extends Mesh<BufferGeometry, ShaderMaterial> {
  private readonly tones = new BufferAttribute(new Float32Array(18), 3);

  constructor() {
    const rows = new Float32Array([-1, 1, 0, 1, 1, 0, -1, -0.5, 0, 1, -0.5, 0, -1, -1, 0, 1, -1, 0]);
    const geometry = new BufferGeometry().setAttribute("position", new BufferAttribute(rows, 3)).setIndex([0, 2, 1, 1, 2, 3, 2, 4, 3, 3, 4, 5]);
    super(geometry, new ShaderMaterial({ vertexShader: FLAT, fragmentShader: TONE, vertexColors: true, depthWrite: false, toneMapped: false }));
    geometry.setAttribute("color", this.tones);
    this.frustumCulled = false;
    this.renderOrder = 1;
  }

  color(top: string, bottom: string): void {
    const read = (text: string): number[] => new Color(text).convertLinearToSRGB().toArray(); // as the screen takes them
    const [high, low] = [read(top), read(bottom)];
    this.tones.copyArray([...high, ...high, ...low, ...low, ...low, ...low]);
    this.tones.needsUpdate = true;
  }
}
