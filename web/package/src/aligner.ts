/** Faces in images and videos: detector, crop and network. */

import type { InferenceSession } from "onnxruntime-web";
import type { Box } from "./boxes.js";
import { Detector, type DetectorOptions } from "./detector.js";
import { faceOf, OUTPUTS, type Face } from "./face.js";
import { fromImageData, type Pixels } from "./pixels.js";
import { loaded, type Runtime, type Source } from "./runtime.js";

const MIN_QUALITY = 0.05;
const SEARCH_EVERY = 5; // frames, while no face is in view

export interface AlignerOptions extends DetectorOptions {
  /** `face.onnx` of `ddfa models convert --to onnx-full --input image`. */
  network: Source;
  /** YuNet: `face_detection_yunet_2023mar.onnx`. */
  detector: Source;
  /** Of the network: for instance ["webgpu", "wasm"] with `onnxruntime-web/webgpu`; ["wasm"] by default. */
  executionProviders?: InferenceSession.SessionOptions["executionProviders"];
  /** Faces whose estimated quality is lower are dropped; 0.05 by default. */
  minQuality?: number;
}

export class FaceAligner {
  private constructor(
    private readonly runtime: Runtime,
    private readonly detector: Detector,
    private readonly network: InferenceSession,
    private readonly minQuality: number,
  ) {}

  /**
   * Load the models.
   *
   * @param runtime onnxruntime-web, as imported by the caller.
   * @throws if a file cannot be fetched or is not what is expected.
   */
  static async load(runtime: Runtime, options: AlignerOptions): Promise<FaceAligner> {
    const [network, detector] = await Promise.all([loaded(options.network), loaded(options.detector)]);
    const providers = options.executionProviders ?? ["wasm"];
    const session = await runtime.InferenceSession.create(network, { executionProviders: providers });
    const missing = [...OUTPUTS, "image", "box"].filter(
      (name) => !session.outputNames.includes(name) && !session.inputNames.includes(name),
    );
    if (missing.length)
      throw new Error(`the network lacks ${missing}: ddfa models convert --to onnx-full --input image`);
    // The detector's outputs are needed on the CPU, and images of many sizes would be compiled again each time.
    const found = await Detector.load(runtime, detector, { executionProviders: ["wasm"] }, options);
    return new FaceAligner(runtime, found, session, options.minQuality ?? MIN_QUALITY);
  }

  /** Align all faces of an image, largest first. */
  async align(image: ImageData | Pixels): Promise<Face[]> {
    const pixels = asPixels(image);
    const faces: Face[] = [];
    for (const { box, score } of await this.detector.detect(pixels))
      faces.push(await this.alignBox(pixels, box, score));
    return faces.filter((face) => face.quality >= this.minQuality);
  }

  /** Align the face in a box. */
  async alignBox(image: ImageData | Pixels, box: Box, score = 1): Promise<Face> {
    const { width, height, rgb } = asPixels(image);
    const outputs = await this.network.run(
      {
        image: new this.runtime.Tensor("uint8", rgb, [height, width, 3]),
        box: new this.runtime.Tensor("float32", Float32Array.from(box), [4]),
      },
      [...OUTPUTS],
    );
    return faceOf(box, score, outputs);
  }

  /** Follow the largest face of a video; see `Follower`. */
  follow(): Follower {
    return new Follower(this);
  }
}

/** Follows one face from frame to frame: the detector runs only while there is none, every few frames. */
export class Follower {
  private expected: Box | null = null;
  private missed = 0;

  constructor(
    private readonly aligner: FaceAligner,
    private readonly minQuality = 0.3,
  ) {}

  /** Align the face in the next frame; null if there is none. */
  async next(frame: ImageData | Pixels): Promise<Face | null> {
    const pixels = asPixels(frame);
    if (this.expected) {
      const face = await this.aligner.alignBox(pixels, this.expected);
      if (face.quality >= this.minQuality) return this.kept(face);
    }
    if (this.missed++ % SEARCH_EVERY) return null;
    const [largest] = await this.aligner.align(pixels);
    return this.kept(largest ?? null);
  }

  private kept(face: Face | null): Face | null {
    this.expected = face && face.nextBox;
    if (face) this.missed = 0;
    return face;
  }
}

function asPixels(image: ImageData | Pixels): Pixels {
  return "rgb" in image ? image : fromImageData(image);
}
