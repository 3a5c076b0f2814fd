// Landmarks, pose and blendshapes of a face, in JavaScript with ONNX Runtime and one ONNX file:
//
//     ddfa models convert default --to onnx-full --input image -o face.onnx
//     npm install && node align.mjs face.onnx photo.jpg X0 Y0 X1 Y1
//
// The box is that of a face detector, in pixels. Prints one JSON object. docs/onnx.md describes the inputs and outputs.

import { readFileSync } from "node:fs";
import jpeg from "jpeg-js";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [model, photo, ...corners] = process.argv.slice(2);
if (corners.length !== 4) {
  console.error("usage: node align.mjs face.onnx photo.jpg X0 Y0 X1 Y1");
  process.exit(2);
}

const { width, height, data } = jpeg.decode(readFileSync(photo), { useTArray: true, formatAsRGBA: false });
const session = await InferenceSession.create(model);
const { landmarks, rotation, blendshapes, next_box } = await session.run({
  image: new Tensor("uint8", data, [height, width, 3]),
  box: new Tensor("float32", Float32Array.from(corners, Number), [4]),
});

const rows = ({ data, dims }) => {
  const columns = dims.at(-1);
  return Array.from({ length: data.length / columns }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
};
console.log(
  JSON.stringify({
    landmarks: rows(landmarks), // 68 x (x right, y down, z towards the viewer), px of the photo
    rotation: rows(rotation), // head to camera, y up
    blendshapes: [...blendshapes.data], // 52 ARKit weights, in the order of the names in the model's metadata
    next_box: [...next_box.data], // in a video, the box for the next frame
  }),
);
