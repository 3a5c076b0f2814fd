/** A head from a GLB of the service: four parts, 52 blendshapes, a pose. */

import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { mapEyes } from "./eyes";
import { paint, type Look } from "./looks";

const SAMPLED = 7; // one vertex in so many determines the extent of a head

type Part = THREE.Mesh<THREE.BufferGeometry, THREE.Material>;

export class Head {
  /** Rotates about the centre of the head. */
  readonly pivot = new THREE.Group();
  readonly photoPose: THREE.Quaternion;
  readonly radius: number;
  private readonly parts: { name: string; mesh: Part; original: THREE.MeshStandardMaterial }[] = [];

  private constructor(scene: THREE.Object3D) {
    const node = scene.getObjectByName("head") ?? scene;
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
    const box = new THREE.Box3().setFromObject(node);
    const middle = box.getCenter(new THREE.Vector3());
    this.radius = box.getSize(new THREE.Vector3()).y / 2;
    node.position.sub(middle);
    this.pivot.add(scene);
  }

  static async from(glb: ArrayBuffer): Promise<Head> {
    return new Head((await new GLTFLoader().parseAsync(glb, "")).scene);
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
