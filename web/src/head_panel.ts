/** The head and everything around it: view, pose, expression. */

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
  private readonly stage: Stage | null;
  private readonly bars: Bars;
  private mean: ArrayBuffer | null = null;
  private fitted: Weights | null = null;
  /** Counts heads that were asked for: one that took longer than a later one is not shown any more. */
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
    this.setLook("texture");
    this.fit(null);
    if (this.stage) return;
    for (const one of document.querySelectorAll<HTMLButtonElement>("#looks button, #postures button"))
      one.disabled = true;
  }

  /** Learn the mean head: the code of the PNCC view and the names of the blendshapes come from it. */
  async know(mean: ArrayBuffer): Promise<void> {
    this.mean = mean;
    const head = await Head.from(mean);
    this.stage?.know(head);
    this.bars.show(head.weights);
    head.dispose();
  }

  /** Show the mean head; it turns slowly unless somebody wishes for less motion. */
  async showMean(posture?: Posture): Promise<void> {
    if (!this.mean || !(await this.showHead(this.mean))) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.setPosture(posture ?? (still ? "front" : "spin"));
    this.showPose(null);
    this.showWeights(Object.fromEntries(Object.keys(this.bars.weights).map((name) => [name, 0])));
  }

  /** @returns false if another head was asked for in the meantime. */
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

  /** Which face the head is of; empty for the mean head. */
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
    for (const name of ["yaw", "pitch", "roll"] as const)
      element(name).textContent = angles ? `${angles[name].toFixed(1)}°` : "–";
  }

  showWeights(weights: Weights): void {
    this.bars.show(weights);
    this.animate(weights);
  }

  /** What the sliders go back to; null if there is nothing to go back to. */
  fit(weights: Weights | null): void {
    this.fitted = weights;
    this.reset.disabled = !weights;
    if (weights) this.showWeights(weights);
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
      "This browser shows no 3D: WebGL is missing or switched off. Landmarks, pose, expression and downloads work.";
    holder.classList.add("missing");
    holder.append(words);
    return null;
  }
}
