/** The result: a face in an image. */

import type { Tensor } from "onnxruntime-web";
import type { Box } from "./boxes.js";

/** The 52 ARKit blendshapes, in the order of `Face.weights`. */
export const ARKIT_NAMES = [
  ...["browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff"],
  ...["cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft"],
  ...["eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"],
  ...["eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"],
  ...["jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight"],
  ...["mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft"],
  ...["mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"],
  ...["mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft"],
  ...["mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight"],
  ...["noseSneerLeft", "noseSneerRight", "tongueOut"],
] as const;

/** A face. Image space: x right, y down, z towards the viewer, px; pixel centres are at integers. */
export interface Face {
  /** From the detector, or where the face was expected in a video. */
  readonly box: Box;
  /** Confidence of the detector; 1 if it was not needed. */
  readonly score: number;
  /** 68 x 3 iBUG landmarks, px. */
  readonly landmarks: Float32Array;
  /** 3 x 3, row by row: head to camera, y up. */
  readonly rotation: Float32Array;
  /** px per mm of the head. */
  readonly scale: number;
  /** x, y, z of the head's origin, px. */
  readonly translation: Float32Array;
  /** The 52 weights from 0 to 1, in the order of `ARKIT_NAMES`. */
  readonly weights: Float32Array;
  /** Estimated probability that the landmarks are accurate. */
  readonly quality: number;
  /** The box to expect the face in, in the next frame of a video. */
  readonly nextBox: Box;
}

/** The blendshapes of a face by their ARKit names. */
export function blendshapes(face: Face): Record<(typeof ARKIT_NAMES)[number], number> {
  return Object.fromEntries(ARKIT_NAMES.map((name, k) => [name, face.weights[k]!])) as Record<
    (typeof ARKIT_NAMES)[number],
    number
  >;
}

/** Turn, nod and tilt of the head in degrees: positive to the image left, up, and clockwise. */
export function headAngles({ rotation: r }: Face): { turn: number; nod: number; tilt: number } {
  const degrees = (radians: number): number => (radians * 180) / Math.PI;
  return {
    turn: degrees(Math.atan2(-r[2]!, r[8]!)),
    nod: degrees(Math.asin(Math.min(Math.max(r[5]!, -1), 1))),
    tilt: degrees(Math.atan2(-r[3]!, r[4]!)),
  };
}

/** The outputs that `faceOf` reads; those of the network file must include them. */
export const OUTPUTS = [
  "landmarks",
  "rotation",
  "scale",
  "translation",
  "blendshapes",
  "quality",
  "next_box",
] as const;

/** Read the outputs of the network. */
export function faceOf(box: Box, score: number, outputs: Record<string, Tensor>): Face {
  const read = (name: (typeof OUTPUTS)[number]): Float32Array => outputs[name]!.data as Float32Array;
  return {
    box,
    score,
    landmarks: read("landmarks"),
    rotation: read("rotation"),
    scale: read("scale")[0]!,
    translation: read("translation"),
    weights: read("blendshapes"),
    quality: read("quality")[0]!,
    nextBox: [...read("next_box")] as unknown as Box,
  };
}
