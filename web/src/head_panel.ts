/** The head panel: view, pose and expression. */

import type { Angles } from "./api";
import { Bars } from "./bars";
import { button, capital, element, press } from "./dom";
import { Head } from "./head";
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
  private mean: ArrayBuffer | null = null;
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
    this.mean = mean;
    const head = await Head.from(mean);
    this.stage?.know(head);
    this.bars.show(head.weights);
    head.dispose();
  }

  /** Show the mean head; it spins slowly unless the user prefers reduced motion. */
  async showMean(posture?: Posture): Promise<void> {
    if (!this.mean || !(await this.showHead(this.mean))) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.setPosture(posture ?? (still ? "front" : "spin"));
    this.showPose(null);
    this.showQuality(null);
    this.showWeights(this.zeros());
  }

  /** @returns false if another head was requested in the meantime. */
  async showHead(glb: ArrayBuffer): Promise<boolean> {
    const asked = ++this.asked;
    if (!this.stage) return true;
    const head = await Head.from(glb);
    if (asked !== this.asked) {
      head.dispose();
      return false;
    }
    this.stage.show(head);
    this.stage.weights = this.bars.weights;
    return true;
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
