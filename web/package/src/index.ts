export { FaceAligner, Follower, type AlignerOptions } from "./aligner.js";
export type { Box, Detection } from "./boxes.js";
export { Detector, type DetectorOptions } from "./detector.js";
export { ARKIT_NAMES, blendshapes, headAngles, type Face } from "./face.js";
export { fromImageData, type Pixels } from "./pixels.js";
export type { Runtime, Source } from "./runtime.js";
