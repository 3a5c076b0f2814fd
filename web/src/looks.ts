/** Display modes of a head: the materials of its four parts. */

import * as THREE from "three";
import { irisTexture } from "./eyes";

export const LOOKS = ["texture", "shaded", "wireframe", "pncc", "depth", "normals"] as const;
export type Look = (typeof LOOKS)[number];

const CLAY: Record<string, number> = { teeth: 0xefe9dc, mouth: 0xa86a62, skin: 0xc9c2b8 };
const LINES = 0x2a8cf0; // visible on light and dark backgrounds

/** Material of one part of a head; `original` is the one from its file. */
export function paint(look: Look, part: string, original: THREE.MeshStandardMaterial): THREE.Material {
  switch (look) {
    case "texture":
      // The texture already contains the illumination of the photo, so little light is added.
      if (original.map)
        return new THREE.MeshLambertMaterial({
          map: original.map,
          emissiveMap: original.map,
          emissive: 0x9a9a9a,
        });
      return part === "eyes" ? eye() : original;
    case "shaded":
      if (part === "eyes") return eye();
      return new THREE.MeshStandardMaterial({ color: CLAY[part] ?? 0xc9c2b8, roughness: 0.75 });
    case "wireframe":
      return new THREE.MeshBasicMaterial({ color: LINES, wireframe: true, transparent: true, opacity: 0.6 });
    case "pncc":
      return new THREE.MeshBasicMaterial({ vertexColors: true });
    case "depth":
      return new THREE.MeshDepthMaterial();
    case "normals":
      return new THREE.MeshNormalMaterial();
  }
}

function eye(): THREE.Material {
  return new THREE.MeshStandardMaterial({ map: irisTexture(), roughness: 0.25 });
}

/**
 * Colours of the projected normalised coordinate code: position of each vertex on the mean head, every axis scaled to [0, 1].
 *
 * @param mean positions of the mean head's vertices, by part.
 */
export function codes(mean: ReadonlyMap<string, ArrayLike<number>>): Map<string, THREE.BufferAttribute> {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (const places of mean.values()) {
    for (let k = 0; k < places.length; k++) {
      low[k % 3] = Math.min(low[k % 3]!, places[k]!);
      high[k % 3] = Math.max(high[k % 3]!, places[k]!);
    }
  }
  const colour = new THREE.Color();
  const result = new Map<string, THREE.BufferAttribute>();
  for (const [part, places] of mean) {
    const values = new Float32Array(places.length);
    for (let k = 0; k < places.length; k += 3) {
      const [r, g, b] = [0, 1, 2].map(
        (axis) => (places[k + axis]! - low[axis]!) / (high[axis]! - low[axis]!),
      );
      colour.setRGB(r!, g!, b!, THREE.SRGBColorSpace).toArray(values, k); // the code is the displayed sRGB value, not linear light
    }
    result.set(part, new THREE.BufferAttribute(values, 3));
  }
  return result;
}
