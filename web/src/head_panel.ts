/** The head panel: view, pose and expression. */

import { SRGBColorSpace, Texture } from "three";
import type { Angles } from "./api";
import { Bars } from "./bars";
import { button, capital, element, press } from "./dom";
import { Head, type Shape } from "./head";
import { LOOKS, type Look } from "./looks";
import { Stage, type Posture } from "./stage";

const POSTURES: Record<Posture, string> = { photo: "As photographed", front: "Frontal", spin: "Spin" };

type Weights = Record<string, number>;

export class HeadPanel {
  private readonly holder = element("stage");
  private readonly reset = element<HTMLButtonElement>("reset");
  private readonly neutral = element<HTMLButtonElement>("neutral");
  private readonly compare = element<HTMLButtonElement>("compare");
  private readonly stage: Stage | null;
  private readonly bars: Bars;
  /** The head of photos: its shape changes, its blendshapes stay. */
  private figure: Head | null = null;
  private mean: Shape | null = null;
  private fitted: Weights | null = null;
  /** Counts requested heads, so that one that loads later than a newer one is dropped. */
  private asked = 0;

  constructor() {
    this.stage = openStage(this.holder);
    this.bars = new Bars(element("bars"), (weights) => this.animate(weights));
    const looks = LOOKS.map((look) =>
      button(look === "pncc" ? "PNCC" : capital(look), `view-${look}`, () => this.setLook(look)),
    );
    element("looks").append(...looks);
    const postures = Object.entries(POSTURES) as [Posture, string][];
    element("postures").append(
      ...postures.map(([posture, text]) => button(text, `pose-${posture}`, () => this.setPosture(posture))),
    );
    this.reset.addEventListener("click", () => this.fitted && this.showWeights(this.fitted));
    this.neutral.addEventListener("click", () => this.showWeights(this.zeros()));
    this.listenForComparison();
    this.setLook("texture");
    this.fit(null);
    if (this.stage) return;
    for (const one of document.querySelectorAll<HTMLButtonElement>("#looks button, #postures button"))
      one.disabled = true;
  }

  /** Load the mean head, which defines the PNCC colours and the names of the blendshapes. */
  async know(mean: ArrayBuffer): Promise<void> {
    const head = await Head.from(mean);
    this.stage?.know(head);
    this.bars.show(head.weights);
    [this.figure, this.mean] = [head, head.shape];
  }

  /** Show the mean head; it spins slowly unless the user prefers reduced motion. */
  async showMean(posture?: Posture): Promise<void> {
    if (!this.mean) return;
    this.asked++;
    this.showShape(this.mean);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.setPosture(posture ?? (still ? "front" : "spin"));
    this.showPose(null);
    this.showQuality(null);
    this.showWeights(this.zeros());
  }

  /**
   * Show a face of a photo, from a GLB without texture and blendshapes.
   *
   * @returns false if another head was requested in the meantime.
   */
  async showLight(glb: ArrayBuffer): Promise<boolean> {
    const asked = ++this.asked;
    if (!this.stage) return true;
    const light = await Head.from(glb);
    const { shape } = light;
    light.dispose();
    if (asked !== this.asked) return false;
    this.showShape(shape);
    return true;
  }

  /** Put the texture on the face that is shown by the last `showLight`, unless another one is shown by then. */
  async wear(picture: Promise<Blob | null>): Promise<void> {
    const { asked } = this;
    const blob = await picture;
    if (!blob || !this.stage || asked !== this.asked) return;
    const texture = new Texture(await createImageBitmap(blob));
    if (asked !== this.asked) return;
    Object.assign(texture, { colorSpace: SRGBColorSpace, flipY: false, needsUpdate: true });
    this.dress(texture);
  }

  /** Show a whole head, in the camera mode. @returns false if another head was requested in the meantime. */
  async showHead(glb: ArrayBuffer): Promise<boolean> {
    const asked = ++this.asked;
    if (!this.stage) return true;
    const head = await Head.from(glb);
    if (asked !== this.asked) {
      head.dispose();
      return false;
    }
    this.replace(head);
    return true;
  }

  private showShape(shape: Shape): void {
    if (!this.figure || !this.stage) return;
    this.figure.reshape(shape);
    this.dress(null);
    this.replace(this.figure);
  }

  private dress(texture: Texture | null): void {
    this.figure?.wear(texture);
    this.stage?.repaint();
    if (texture) this.holder.dataset.textured = "";
    else delete this.holder.dataset.textured;
  }

  private replace(head: Head): void {
    if (!this.stage) return;
    const before = this.stage.show(head);
    if (before !== head && before !== this.figure) before?.dispose();
    this.stage.weights = this.bars.weights;
  }

  /** Index of the face that the head belongs to; empty for the mean head. */
  set face(name: string) {
    this.holder.dataset.face = name;
  }

  setPosture(posture: Posture): void {
    this.stage?.setPosture(posture);
    press(element("postures"), `pose-${posture}`);
  }

  turn(rotation: readonly (readonly number[])[]): void {
    this.stage?.turn(rotation);
  }

  showPose(angles: Angles | null): void {
    for (const name of ["turn", "nod", "tilt"] as const)
      element(name).textContent = angles ? `${angles[name].toFixed(1)}°` : "–";
  }

  /** Show the estimated probability that the landmarks are accurate; null if it is not known. */
  showQuality(quality: number | null): void {
    element("quality").textContent = quality === null ? "–" : `${Math.round(100 * quality)} %`;
  }

  showWeights(weights: Weights): void {
    this.bars.show(weights);
    this.animate(weights);
  }

  /** Weights that Reset restores; null if there are none. */
  fit(weights: Weights | null): void {
    this.fitted = weights;
    this.reset.disabled = this.compare.disabled = !weights;
    if (weights) this.showWeights(weights);
  }

  /** While the button is held, the head has the photo's expression; the sliders stay. */
  private listenForComparison(): void {
    const show = (fitted: boolean): void => {
      if (this.fitted) this.animate(fitted ? this.fitted : this.bars.weights);
      this.compare.setAttribute("aria-pressed", String(fitted));
    };
    for (const name of ["pointerdown", "keydown"] as const)
      this.compare.addEventListener(name, (event) => {
        if (!(event instanceof KeyboardEvent) || event.key === " " || event.key === "Enter") show(true);
      });
    for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"] as const)
      this.compare.addEventListener(name, () => show(false));
  }

  private zeros(): Weights {
    return Object.fromEntries(Object.keys(this.bars.weights).map((name) => [name, 0]));
  }

  private animate(weights: Weights): void {
    if (this.stage) this.stage.weights = weights;
  }

  private setLook(look: Look): void {
    this.stage?.setLook(look);
    press(element("looks"), `view-${look}`);
  }
}

function openStage(holder: HTMLElement): Stage | null {
  try {
    return new Stage(holder);
  } catch {
    const words = document.createElement("p");
    words.textContent =
      "No 3D view: WebGL is missing or disabled in this browser. Landmarks, pose, expression and downloads work.";
    holder.classList.add("missing");
    holder.append(words);
    return null;
  }
}
