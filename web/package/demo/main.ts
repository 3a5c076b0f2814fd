/** The demo page: the faces of a photo, or the largest face of the camera. */

import * as ort from "onnxruntime-web/wasm";
import { ARKIT_NAMES, blendshapes, FaceAligner, headAngles, type Face } from "../src/index.js";

const SHOWN = ARKIT_NAMES.filter((name) =>
  /jawOpen|Smile|Blink|browInnerUp|browDown|eyeLook(In|Out)|Pucker/.test(name),
);

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const [camera, file] = [element<HTMLButtonElement>("camera"), element<HTMLInputElement>("file")];
const [canvas, video] = [element<HTMLCanvasElement>("view"), element<HTMLVideoElement>("video")];
const context = canvas.getContext("2d", { willReadFrequently: true })!;
const meters = new Map(SHOWN.map((name) => [name, bar(name)]));
let running = false;

function bar(name: string): HTMLMeterElement {
  const row = document.createElement("label");
  row.className = "bar";
  row.append(name, document.createElement("meter"));
  element("bars").append(row);
  return row.lastElementChild as HTMLMeterElement;
}

function say(text: string): void {
  element("status").textContent = text;
}

/** Draw an image onto the canvas, in its own size, and return its pixels. */
function shown(image: CanvasImageSource, width: number, height: number): ImageData {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

function draw(faces: Face[]): void {
  context.fillStyle = "#3fe08f";
  for (const { landmarks, scale } of faces) {
    const radius = Math.max(2, 2 * scale);
    for (let k = 0; k < 68; k++) {
      context.beginPath();
      context.arc(landmarks[3 * k]! + 0.5, landmarks[3 * k + 1]! + 0.5, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }
  const weights = faces[0] && blendshapes(faces[0]);
  for (const [name, meter] of meters) meter.value = weights?.[name] ?? 0;
}

function described(face: Face): string {
  const { turn, nod, tilt } = headAngles(face);
  const whole = (angle: number): number => Math.round(angle) + 0; // no -0
  return `turn ${whole(turn)}°, nod ${whole(nod)}°, tilt ${whole(tilt)}°`;
}

async function alignPhoto(aligner: FaceAligner, photo: File): Promise<void> {
  const image = await createImageBitmap(photo).catch(() => null);
  if (!image) return say(`${photo.name} is not an image that this browser can read: choose a JPEG or PNG`);
  const faces = await aligner.align(shown(image, image.width, image.height));
  draw(faces);
  say(
    faces[0] ? `${faces.length} face${faces.length > 1 ? "s" : ""}; ${described(faces[0])}` : "no face found",
  );
}

async function play(aligner: FaceAligner): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  video.srcObject = stream;
  await video.play();
  const follower = aligner.follow();
  let began = performance.now();
  for (let count = 1; running; count++) {
    const face = await follower.next(shown(video, video.videoWidth, video.videoHeight));
    draw(face ? [face] : []);
    if (count % 15 === 0) {
      const now = performance.now();
      say(
        `${((15 * 1000) / (now - began)).toFixed(0)} frames/s; ${face ? described(face) : "no face found"}`,
      );
      began = now;
    }
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  }
  for (const track of stream.getTracks()) track.stop();
}

try {
  const aligner = await FaceAligner.load(ort, {
    network: "face.onnx",
    detector: "face_detection_yunet_2023mar.onnx",
  });
  Object.assign(window, { aligner }); // to try things in the browser's console
  camera.disabled = file.disabled = false;
  say("Ready.");
  file.addEventListener("change", () => {
    running = false;
    const [photo] = file.files ?? [];
    if (photo) void alignPhoto(aligner, photo);
  });
  camera.addEventListener("click", () => {
    running = !running;
    camera.textContent = running ? "Stop camera" : "Start camera";
    if (!running) return;
    play(aligner).catch((error: Error) => {
      running = false;
      camera.textContent = "Start camera";
      say(`no camera: ${error.message}`);
    });
  });
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
}
