/** The YuNet face detector at two scales, as `yunet:exact` in Python (src/ddfa/detect/yunet.py), without its turned copies. */

import type { InferenceSession, Tensor } from "onnxruntime-web";
import { area, overlapping, suppressed, type Box, type Detection } from "./boxes.js";
import { resized, type Pixels } from "./pixels.js";
import type { Runtime } from "./runtime.js";

const STRIDES = [8, 16, 32] as const; // px between the anchors of each grid
const COARSE_SIDES = [192, 384] as const;
const FINE_SIDE = 1024;
const FINE_FACE_SIDE = 256;
const NMS_OVERLAP = 0.3;
const OUTPUTS = STRIDES.flatMap((stride) => ["cls", "obj", "bbox"].map((name) => `${name}_${stride}`));

export interface DetectorOptions {
  /** Faces below this confidence are dropped; 0.6 by default. */
  minScore?: number;
}

export class Detector {
  private constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
    private readonly minScore: number,
  ) {}

  /** Load the detector from the content of YuNet's file. */
  static async load(
    runtime: Runtime,
    content: Uint8Array,
    session: InferenceSession.SessionOptions,
    { minScore = 0.6 }: DetectorOptions = {},
  ): Promise<Detector> {
    // Memory patterns only pay if all images have one size; shapes that differ from the file are no reason to warn.
    const settings = { ...session, enableMemPattern: false, logSeverityLevel: 3 as const };
    return new Detector(
      runtime,
      await runtime.InferenceSession.create(withAnySides(content), settings),
      minScore,
    );
  }

  /** Detect the faces in an image, largest first. */
  async detect(image: Pixels): Promise<Detection[]> {
    const side = Math.sqrt(image.width * image.height);
    const scale = Math.min(side, FINE_SIDE) / side;
    const reduced = resized(image, scale); // once for both passes
    const coarse = Math.min(Math.max(side, COARSE_SIDES[0]), COARSE_SIDES[1]) / (scale * side);
    const found = await this.pass(reduced, coarse, scale);
    if (side > COARSE_SIDES[1]) {
      for (const face of await this.pass(reduced, 1, scale)) {
        const [x0, y0, x1, y1] = face.box;
        const small = Math.max(x1 - x0, y1 - y0) * scale <= FINE_FACE_SIDE;
        if (small && !found.some((other) => overlapping(face.box, other.box))) found.push(face);
      }
    }
    return found.sort((one, other) => area(other.box) - area(one.box));
  }

  /** Run the network once on the image resized by `scale`, which has been resized by `previous` already. */
  private async pass(image: Pixels, scale: number, previous: number): Promise<Detection[]> {
    const { width, height, rgb } = resized(image, scale);
    const [columns, rows] = [width, height].map((side) => Math.ceil(side / 32) * 32) as [number, number];
    const blob = new Float32Array(3 * rows * columns); // BGR, black beyond the image
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0, to = y * columns; x < width; x++, to++, at += 3) {
        for (let channel = 0; channel < 3; channel++)
          blob[(2 - channel) * rows * columns + to] = rgb[at + channel]!;
      }
    }
    const input = new this.runtime.Tensor("float32", blob, [1, 3, rows, columns]);
    const outputs = await this.session.run({ input }, OUTPUTS);
    const found = STRIDES.flatMap((stride) => this.decoded(stride, columns / stride, outputs));
    const factor = scale * previous;
    return suppressed(found, NMS_OVERLAP).map(({ box, score }) => ({
      box: box.map((edge) => edge / factor) as unknown as Box,
      score,
    }));
  }

  /** Boxes and scores of one grid. */
  private decoded(stride: number, columns: number, outputs: Record<string, Tensor>): Detection[] {
    const [face, object, boxes] = ["cls", "obj", "bbox"].map(
      (name) => outputs[`${name}_${stride}`]!.data as Float32Array,
    );
    const found: Detection[] = [];
    for (let anchor = 0; anchor < face!.length; anchor++) {
      const score = Math.sqrt(unit(face![anchor]!) * unit(object![anchor]!));
      if (score < this.minScore) continue;
      const [dx, dy, width, height] = boxes!.subarray(4 * anchor, 4 * anchor + 4) as unknown as Box;
      const x = ((anchor % columns) + dx) * stride;
      const y = (Math.floor(anchor / columns) + dy) * stride;
      const [halfWidth, halfHeight] = [(Math.exp(width) * stride) / 2, (Math.exp(height) * stride) / 2];
      found.push({ box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight], score });
    }
    return found;
  }
}

function unit(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

/**
 * Make the sides of the input free: the file fixes them at 640 px, but the network accepts any multiple of 32. In the
 * Protobuf encoding, dim_value 640 becomes dim_param "h" or "w", which has the same length.
 */
function withAnySides(content: Uint8Array): Uint8Array {
  const changed = content.slice();
  const fixed = [0x0a, 0x03, 0x08, 0x80, 0x05];
  for (const name of ["h", "w"]) {
    const at = changed.findIndex((_, start) => fixed.every((byte, k) => changed[start + k] === byte));
    if (at < 0) throw new Error("the detector is not YuNet's file of March 2023");
    changed.set([0x0a, 0x03, 0x12, 0x01, name.charCodeAt(0)], at);
  }
  return changed;
}
