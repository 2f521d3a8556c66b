// Loads GLB models, each once, with Draco and meshopt; everything comes from our own origin.
import { type AnimationClip, Group, type Material, Mesh, MeshLambertMaterial, MeshStandardMaterial, type Object3D } from "three";
import { DRACO_GLTF_CONFIG, DRACOLoader } from "three/addons/loaders/DRACOLoader.js";
import { type GLTF, GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";
import { clone } from "three/addons/utils/SkeletonUtils.js";
import { type Api, ApiError } from "../../shared/api";
import type { Asset } from "../../shared/types";

export class Models {
  private readonly loader = new GLTFLoader();
  private readonly draco = new DRACOLoader();
  private readonly loaded = new Map<string, Promise<GLTF>>();

  /** `plain`: materials without reflections, a fraction of the work where a processor draws. */
  constructor(
    private readonly api: Api,
    private readonly plain: boolean,
  ) {
    this.draco.setDecoderPath(DRACO_GLTF_CONFIG as never);
    this.draco.setWorkerLimit(2);
    this.loader.setDRACOLoader(this.draco);
    this.loader.setMeshoptDecoder(MeshoptDecoder);
  }

  /** Return a copy of a model that may be moved and coloured, and its movements. Throws with a reason to show. */
  async copy(asset: Asset): Promise<{ model: Object3D; clips: AnimationClip[] }> {
    let loading = this.loaded.get(asset.url);
    if (!loading) {
      loading = this.load(asset);
      this.loaded.set(asset.url, loading);
      loading.catch(() => this.loaded.delete(asset.url));
    }
    const { scene, animations } = await loading;
    const group = new Group();
    group.add(clone(scene));
    return { model: group, clips: animations };
  }

  private async load(asset: Asset): Promise<GLTF> {
    let content: ArrayBuffer;
    try {
      content = await (await this.api.raw("GET", asset.url)).arrayBuffer();
    } catch (error) {
      throw error instanceof ApiError && error.status === 404 ? new Error("The model is gone from the server.") : error;
    }
    try {
      const model = await this.loader.parseAsync(content, "");
      if (this.plain) dull(model.scene);
      return model;
    } catch (error) {
      throw new Error(`The model cannot be read: ${reasonOf(error)}`);
    }
  }

  dispose(): void {
    this.draco.dispose();
  }
}

/** Return what a loader says; Draco's worker throws a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === "object" && error !== null && "error" in error ? String(error.error) : String(error);
}

/** Replace what shines by what is only lit. */
function dull(model: Object3D): void {
  const known = new Map<Material, Material>();
  const plain = (material: Material): Material => {
    if (!(material instanceof MeshStandardMaterial)) return material;
    let found = known.get(material);
    if (!found) {
      const { name, color, map, emissive, emissiveMap, opacity, transparent, alphaTest, side, vertexColors, depthWrite } = material;
      found = new MeshLambertMaterial({ name, color, map, emissive, emissiveMap, opacity, transparent, alphaTest, side, vertexColors, depthWrite });
      known.set(material, found);
    }
    return found;
  };
  model.traverse((object) => {
    if (!(object instanceof Mesh)) return;
    const { material } = object as Mesh;
    object.material = Array.isArray(material) ? material.map(plain) : plain(material);
  });
}

/** Return the name that a node had in its file; the loader's own has no spaces. */
export function fileName(object: Object3D): string {
  const given: unknown = object.userData["name"];
  return typeof given === "string" ? given : object.name;
}

/** Return the node of a model with a name of the file, or null. */
export function subNode(model: Object3D, name: string): Object3D | null {
  let found: Object3D | null = null;
  model.traverse((object) => {
    found ??= fileName(object) === name ? object : null;
  });
  return found;
}
