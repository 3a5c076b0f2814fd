/** A head from a GLB of the service: four parts, 52 blendshapes, a pose. */

import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { mapEyes } from "./eyes";
import { paint, type Look } from "./looks";

/** What differs between heads: the vertices of each part, and the pose. */
export interface Shape {
  parts: Map<string, { position: ArrayLike<number>; normal: ArrayLike<number> }>;
  pose: THREE.Quaternion;
}

const SAMPLED = 7; // one vertex in so many determines the extent of a head

type Part = THREE.Mesh<THREE.BufferGeometry, THREE.Material>;

export class Head {
  /** Rotates about the centre of the head. */
  readonly pivot = new THREE.Group();
  photoPose: THREE.Quaternion;
  radius = 1;
  private readonly node: THREE.Object3D;
  private readonly parts: { name: string; mesh: Part; original: THREE.MeshStandardMaterial }[] = [];

  private constructor(scene: THREE.Object3D) {
    const node = (this.node = scene.getObjectByName("head") ?? scene);
    this.photoPose = node.quaternion.clone();
    node.quaternion.identity();
    node.traverse((object) => {
      if (!(object instanceof THREE.Mesh)) return;
      const mesh = object as Part;
      mesh.frustumCulled = false; // blendshapes move vertices outside the bounding box
      if (mesh.material.name === "eyes") mapEyes(mesh.geometry);
      this.parts.push({
        name: mesh.material.name,
        mesh,
        original: mesh.material as THREE.MeshStandardMaterial,
      });
    });
    this.pivot.add(scene);
    this.centre();
  }

  static async from(glb: ArrayBuffer): Promise<Head> {
    return new Head((await new GLTFLoader().parseAsync(glb, "")).scene);
  }

  /** A copy of its shape. */
  get shape(): Shape {
    const copy = (mesh: Part, name: string): ArrayLike<number> =>
      mesh.geometry.getAttribute(name).array.slice();
    const parts = this.parts.map(({ name, mesh }) => {
      return [name, { position: copy(mesh, "position"), normal: copy(mesh, "normal") }] as const;
    });
    return { parts: new Map(parts), pose: this.photoPose.clone() };
  }

  /** Take the shape and pose of another head; the blendshapes, which are the same for all heads, stay. */
  reshape({ parts, pose }: Shape): void {
    for (const { name, mesh } of this.parts) {
      const other = parts.get(name);
      if (!other) continue;
      for (const key of ["position", "normal"] as const) {
        const attribute = mesh.geometry.getAttribute(key) as THREE.BufferAttribute;
        attribute.array.set(other[key]);
        attribute.needsUpdate = true;
      }
      if (name === "eyes") mapEyes(mesh.geometry);
    }
    this.photoPose = pose.clone();
    this.centre();
  }

  /** Put on a texture of the atlas; null takes it off. `look` shows it. */
  wear(texture: THREE.Texture | null): void {
    for (const map of new Set(this.parts.map(({ original }) => original.map))) map?.dispose();
    for (const { original } of this.parts) original.map = texture;
  }

  /** Positions of the vertices, without blendshapes, by part. */
  get positions(): Map<string, ArrayLike<number>> {
    return new Map(this.parts.map(({ name, mesh }) => [name, mesh.geometry.getAttribute("position").array]));
  }

  get weights(): Record<string, number> {
    const { mesh } = this.parts[0]!;
    const names = Object.entries(mesh.morphTargetDictionary ?? {});
    return Object.fromEntries(names.map(([name, k]) => [name, mesh.morphTargetInfluences?.[k] ?? 0]));
  }

  set weights(weights: Record<string, number>) {
    for (const { mesh } of this.parts) {
      for (const [name, k] of Object.entries(mesh.morphTargetDictionary ?? {})) {
        if (mesh.morphTargetInfluences) mesh.morphTargetInfluences[k] = weights[name] ?? 0;
      }
    }
  }

  /** Distances of the nearest and the farthest sampled vertex along the camera's viewing direction. */
  range(camera: THREE.Camera): { near: number; far: number } {
    const point = new THREE.Vector3();
    let [near, far] = [Infinity, 0];
    for (const { mesh } of this.parts) {
      const places = mesh.geometry.getAttribute("position");
      for (let k = 0; k < places.count; k += SAMPLED) {
        point.fromBufferAttribute(places, k).applyMatrix4(mesh.matrixWorld);
        const depth = -point.applyMatrix4(camera.matrixWorldInverse).z;
        near = Math.min(near, depth);
        far = Math.max(far, depth);
      }
    }
    return { near, far };
  }

  look(look: Look, codes: ReadonlyMap<string, THREE.BufferAttribute>): void {
    for (const { name, mesh, original } of this.parts) {
      const colours = codes.get(name);
      if (colours?.count === mesh.geometry.getAttribute("position").count)
        mesh.geometry.setAttribute("color", colours);
      if (mesh.material !== original) mesh.material.dispose();
      mesh.material = paint(look, name, original);
    }
  }

  private centre(): void {
    this.node.position.set(0, 0, 0);
    const box = new THREE.Box3(); // at rest: blendshapes would enlarge it
    for (const { mesh } of this.parts) {
      const places = mesh.geometry.getAttribute("position") as THREE.BufferAttribute;
      box.union(new THREE.Box3().setFromBufferAttribute(places));
    }
    this.radius = box.getSize(new THREE.Vector3()).y / 2;
    this.node.position.sub(box.getCenter(new THREE.Vector3()));
  }

  /** Free its GPU resources. */
  dispose(): void {
    for (const { mesh, original } of this.parts) {
      mesh.geometry.dispose();
      mesh.material.dispose();
      original.map?.dispose();
      original.dispose();
    }
  }
}
