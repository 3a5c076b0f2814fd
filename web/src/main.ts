/** The studio: photos and camera pictures in, the chosen face as photo, head, pose, expression and files. */

import { align, bytesOf, meanHead, samples, ServiceError, setApiKey, type Answer, type Face } from "./api";
import { Bars } from "./bars";
import { Head } from "./head";
import { GROUPS } from "./landmarks";
import { LiveChannel, type LiveAnswer, type LiveFace } from "./live";
import { LOOKS } from "./looks";
import { PhotoView } from "./photo_view";
import { Stage, type Posture } from "./stage";

const FILES = ["ply", "obj", "glb", "json"] as const;
const MORE = ["mat", "usd", "txt", "texture", "frontal", "depth", "normals", "pncc"] as const;
const POSTURES: Record<Posture, string> = { photo: "As photographed", front: "Frontal", spin: "Spin" };

interface Shot {
  photo: Blob;
  bitmap: ImageBitmap;
  answer: Answer;
  thumb: HTMLButtonElement;
}

const element = <T extends HTMLElement = HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
};

const status = element("status");
const video = element<HTMLVideoElement>("video");
const stage = openStage();
const bars = new Bars(element("bars"), (weights) => stage && (stage.weights = weights));
const photoView = new PhotoView(element<HTMLCanvasElement>("photo"), chooseFace);

let shot: Shot | null = null;
let face = 0;
let channel: LiveChannel | null = null;
let live: LiveAnswer | null = null;
let liveId: number | null = null;
let liveHead: number | null = null;
let mean: ArrayBuffer | null = null;

start();

function start(): void {
  element("looks").append(
    ...LOOKS.map((look) => button(look === "pncc" ? "PNCC" : look, `view-${look}`, () => setLook(look))),
  );
  const postures = Object.entries(POSTURES) as [Posture, string][];
  element("postures").append(
    ...postures.map(([posture, text]) => button(text, `pose-${posture}`, () => setPosture(posture))),
  );
  element("downloads").append(
    ...FILES.map((kind) => button(kind.toUpperCase(), `download-${kind}`, () => void download(kind))),
    more(),
  );
  element("key").append(...GROUPS.map(({ name, colour }) => keyEntry(name, colour)));
  press("looks", "view-texture");
  element("reset").addEventListener(
    "click",
    () => chosenFace() && showWeights(chosenFace()?.blendshapes ?? {}),
  );
  element("camera").addEventListener("click", () => void openCamera());
  element("camera-stop").addEventListener("click", () => closeCamera("The camera is off."));
  element("retry").addEventListener("click", () => void openCamera());
  listenForPhotos();
  listenForTheme();
  enable(false);
  void showMeanHead();
  void showSamples();
}

function openStage(): Stage | null {
  try {
    return new Stage(element("stage"));
  } catch {
    element("stage").textContent =
      "This browser shows no 3D (WebGL is missing). Landmarks, figures and downloads work.";
    return null;
  }
}

async function showMeanHead(): Promise<void> {
  await guarded(async () => {
    mean = await meanHead();
    const head = await Head.from(mean);
    stage?.know(head);
    bars.show(head.weights);
    if (shot) return head.dispose(); // somebody was quicker
    stage?.show(head);
    setPosture(matchMedia("(prefers-reduced-motion: reduce)").matches ? "front" : "spin");
  });
}

async function showSamples(): Promise<void> {
  const found = await samples().catch(() => []);
  element("samples").append(
    ...found.map(({ name, url }) => {
      const one = button(
        "",
        `sample-${name}`,
        () => void guarded(async () => take([await (await fetch(url)).blob()])),
      );
      const picture = new Image();
      Object.assign(picture, { src: url, alt: `Sample: ${name}`, loading: "lazy" });
      one.append(picture);
      one.className = "thumb";
      return one;
    }),
  );
}

/* Photos */

function listenForPhotos(): void {
  const input = element<HTMLInputElement>("file");
  input.addEventListener("change", () => {
    void take([...(input.files ?? [])]);
    input.value = ""; // the same photo may be chosen again
  });
  addEventListener("paste", (event) => void take([...(event.clipboardData?.files ?? [])]));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragging"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    void take([...(event.dataTransfer?.files ?? [])]);
  });
}

async function take(photos: readonly Blob[]): Promise<void> {
  if (photos.length) closeCamera("");
  for (const photo of photos) {
    say("Finding faces…", "busy");
    await guarded(async () => {
      const answer = await align(photo, ["glb"]);
      const bitmap = await createImageBitmap(photo, { imageOrientation: "from-image" });
      const thumb = await thumbOf(bitmap, answer.faces.length);
      const taken = { photo, bitmap, answer, thumb };
      thumb.addEventListener("click", () => void showShot(taken));
      element("thumbs").append(thumb);
      await showShot(taken);
    });
  }
}

async function thumbOf(bitmap: ImageBitmap, faces: number): Promise<HTMLButtonElement> {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 96;
  const side = Math.min(bitmap.width, bitmap.height);
  const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext("2d")?.drawImage(bitmap, x, y, side, side, 0, 0, 96, 96);
  const thumb = button("", `shot-${element("thumbs").childElementCount}`, () => undefined);
  thumb.className = "thumb";
  thumb.setAttribute("aria-label", `Photo with ${faces} ${faces === 1 ? "face" : "faces"}`);
  thumb.append(canvas);
  return thumb;
}

async function showShot(taken: Shot): Promise<void> {
  shot = taken;
  face = 0;
  for (const thumb of element("thumbs").children)
    thumb.setAttribute("aria-pressed", String(thumb === taken.thumb));
  const { answer, bitmap } = taken;
  element("shown").hidden = false;
  element("drop").classList.add("small");
  photoView.show(bitmap, answer.image.width, answer.image.height, answer.faces, face);
  const count = answer.faces.length;
  element("figures").textContent =
    `${answer.image.width} × ${answer.image.height} px, ${answer.milliseconds.toFixed(0)} ms with its files, model ${answer.model.name}`;
  showFaceButtons(count);
  enable(count > 0);
  if (!count) return say("No face was found. A larger or sharper photo may help.", "warn");
  say(count === 1 ? "One face." : `${count} faces: click one.`);
  await showFace();
}

function showFaceButtons(count: number): void {
  const faces = Array.from({ length: count }, (_, k) =>
    button(`Face ${k + 1}`, `face-${k}`, () => chooseFace(k)),
  );
  element("faces").replaceChildren(...faces);
}

function chooseFace(index: number): void {
  face = index;
  photoView.choose(index);
  if (channel) {
    liveId = live?.faces[index]?.id ?? null;
    return;
  }
  void guarded(showFace);
}

async function showFace(): Promise<void> {
  const one = chosenFace();
  const file = one?.files.glb;
  press("faces", `face-${face}`);
  if (!one) return;
  if (file && stage) stage.show(await Head.from(bytesOf(file).buffer));
  element("stage").dataset.face = String(face);
  setPosture("photo");
  showPose(one);
  showWeights(one.blendshapes ?? {});
}

function chosenFace(): Face | null {
  return shot?.answer.faces[face] ?? null;
}

/* The head */

function setLook(look: (typeof LOOKS)[number]): void {
  stage?.setLook(look);
  press("looks", `view-${look}`);
}

function setPosture(posture: Posture): void {
  stage?.setPosture(posture);
  press("postures", `pose-${posture}`);
}

function showPose({ euler_deg }: Pick<Face, "euler_deg">): void {
  for (const [name, value] of Object.entries(euler_deg))
    element(name).textContent = `${(value as number).toFixed(1)}°`;
}

function showWeights(weights: Record<string, number>): void {
  bars.show(weights);
  if (stage) stage.weights = weights;
}

/* Files */

function more(): HTMLSelectElement {
  const select = document.createElement("select");
  select.setAttribute("aria-label", "More files");
  select.dataset.testid = "download-more";
  select.append(new Option("more…", ""), ...MORE.map((kind) => new Option(kind, kind)));
  select.addEventListener("change", () => {
    if (select.value) void download(select.value);
    select.value = "";
  });
  return select;
}

/** Save a file of the chosen face; the service keeps nothing, so for one that is not here the photo goes there again. */
async function download(kind: string): Promise<void> {
  await guarded(async () => {
    if (!shot) return;
    const index = face;
    let file = chosenFace()?.files[kind];
    if (!file) {
      say(`Making the ${kind} file…`, "busy");
      const { photo, answer } = shot;
      const again = await align(photo, [kind]);
      again.faces.forEach((one, k) => Object.assign(answer.faces[k]?.files ?? {}, one.files));
      file = answer.faces[index]?.files[kind];
    }
    if (!file) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytesOf(file)], { type: file.type }));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`Saved ${file.name}.`);
  });
}

/* The camera */

async function openCamera(): Promise<void> {
  closeCamera("");
  element("retry").hidden = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 } },
      audio: false,
    });
  } catch (error) {
    return say(cameraWords(error), "warn");
  }
  await video.play();
  shot = null;
  liveId = liveHead = null;
  element("shown").hidden = element("camera-stop").hidden = false;
  element("drop").classList.add("small");
  element("faces").replaceChildren();
  enable(false);
  say("The camera is on.");
  if (mean && stage) stage.show(await Head.from(mean));
  setPosture("photo");
  channel = new LiveChannel(video, { faces: showLive, head: showLiveHead, ended: liveEnded });
}

function cameraWords(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "The browser may not use the camera: allow it in the address bar, then try again.";
  if (name === "NotFoundError") return "There is no camera here.";
  if (!("mediaDevices" in navigator)) return "Cameras need https or localhost.";
  return "The camera cannot be used: perhaps another program has it.";
}

function closeCamera(text: string): void {
  channel?.close();
  channel = live = null;
  const stream = video.srcObject;
  if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
  element("camera-stop").hidden = true;
  if (text) say(text);
}

function showLive(answer: LiveAnswer, perSecond: number): void {
  live = answer;
  const one = answer.faces.find(({ id }) => id === liveId) ?? answer.faces[0];
  face = one ? answer.faces.indexOf(one) : 0;
  liveId = one?.id ?? liveId;
  photoView.show(video, answer.width, answer.height, answer.faces, face);
  element("figures").textContent =
    `${perSecond.toFixed(0)} pictures/s, ${answer.milliseconds.toFixed(0)} ms each`;
  element("stage").dataset.face = one ? String(one.id) : "";
  const text = one ? "" : "Nobody is seen.";
  if (status.textContent !== text) say(text);
  if (one) showLiveFace(one);
}

function showLiveFace(one: LiveFace): void {
  showPose(one);
  showWeights(one.blendshapes ?? {});
  stage?.turn(one.rotation);
}

function showLiveHead(id: number, glb: ArrayBuffer): void {
  if (!stage || liveHead === id || (liveId !== null && id !== liveId)) return;
  liveHead = id;
  void guarded(async () => stage.show(await Head.from(glb)));
}

function liveEnded(code: string, message: string): void {
  closeCamera("");
  if (code === "no_key") return void askForKey(openCamera);
  say(message, "warn");
  element("retry").hidden = false;
}

/* Words, keys, buttons */

function say(text: string, kind: "" | "busy" | "warn" = ""): void {
  status.textContent = text;
  status.className = kind;
}

/** Do something; what goes wrong is said, and a missing key is asked for. */
async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "no_key") await askForKey(() => guarded(work));
    else say(error instanceof ServiceError ? error.message : "This photo cannot be shown here.", "warn");
  }
}

async function askForKey(then: () => Promise<void>): Promise<void> {
  const dialog = element<HTMLDialogElement>("key-dialog");
  if (dialog.open) return;
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  const input = element<HTMLInputElement>("key-input");
  if (dialog.returnValue !== "ok") return say("Without the key the service does nothing.", "warn");
  setApiKey(input.value);
  input.value = "";
  await then();
}

function button(text: string, testid: string, clicked: () => void): HTMLButtonElement {
  const one = document.createElement("button");
  one.type = "button";
  one.textContent = text;
  one.dataset.testid = testid;
  one.addEventListener("click", clicked);
  return one;
}

function press(group: string, testid: string): void {
  for (const one of element(group).querySelectorAll<HTMLElement>("button")) {
    one.setAttribute("aria-pressed", String(one.dataset.testid === testid));
  }
}

function enable(on: boolean): void {
  for (const one of element("downloads").querySelectorAll<HTMLButtonElement>("button, select"))
    one.disabled = !on;
  element<HTMLButtonElement>("reset").disabled = !on;
}

function keyEntry(name: string, colour: string): HTMLLIElement {
  const entry = document.createElement("li");
  const dot = document.createElement("span");
  dot.style.background = colour;
  entry.append(dot, name);
  return entry;
}

function listenForTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  element("theme").addEventListener("click", () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
}
