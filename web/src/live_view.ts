/** The camera view: each answer updates landmarks, head, pose and expression. */

import { askForKey } from "./attempt";
import { say } from "./announce";
import { Camera, cameraWords } from "./camera";
import { button, element, press } from "./dom";
import type { HeadPanel } from "./head_panel";
import type { LiveAnswer, LiveFace } from "./live";
import type { PhotoView } from "./photo_view";

const HEADS = 8; // kept at most: each takes some megabytes

export interface LiveHost {
  /** The camera has started: other views close. */
  entered(): void;
  /** The camera has stopped: the previous view is shown again. */
  left(): void;
  /** A frame of the camera is used as a photo. */
  photo(picture: Blob): void;
}

export class LiveView {
  private readonly camera: Camera;
  private readonly row = element("camera-row");
  private readonly retry = element("retry");
  private readonly opener = element<HTMLButtonElement>("camera");
  private readonly faces = element("faces");
  private readonly heads = new Map<number, ArrayBuffer>();
  private seen: readonly LiveFace[] = [];
  /** Track of the selected face, and of the face whose head is shown. */
  private followed: number | null = null;
  private headOf: number | null = null;

  constructor(
    private readonly photoView: PhotoView,
    private readonly panel: HeadPanel,
    private readonly host: LiveHost,
  ) {
    this.camera = new Camera(element<HTMLVideoElement>("video"), {
      faces: (answer, picture, perSecond) => this.show(answer, picture, perSecond),
      head: (id, glb) => this.keepHead(id, glb),
      ended: (code, message) => void this.ended(code, message),
    });
    this.opener.addEventListener("click", () => void this.start());
    this.retry.addEventListener("click", () => void this.start());
    element("camera-stop").addEventListener("click", () => {
      this.stop();
      this.host.left();
      say("The camera is off.");
    });
    element("camera-shot").addEventListener("click", () => void this.takePicture());
  }

  get on(): boolean {
    return this.camera.on;
  }

  async start(): Promise<void> {
    this.stop();
    say("Waiting for the camera…", "busy");
    try {
      if (!(await this.camera.start())) return;
    } catch (error) {
      this.stop();
      this.retry.hidden = false;
      return say(cameraWords(error), "warn");
    }
    this.enter();
  }

  stop(): void {
    this.camera.stop();
    this.row.hidden = this.retry.hidden = true;
    this.opener.hidden = false;
    this.heads.clear();
    this.seen = [];
    this.followed = this.headOf = null;
  }

  choose(index: number): void {
    this.followed = this.seen[index]?.id ?? this.followed;
  }

  private enter(): void {
    this.host.entered();
    this.row.hidden = false;
    this.opener.hidden = true;
    this.panel.face = "";
    this.panel.fit(null);
    void this.panel.showMean("photo");
    say("The camera is on.");
  }

  private show(answer: LiveAnswer, picture: HTMLCanvasElement, perSecond: number): void {
    this.seen = answer.faces;
    const found = answer.faces.findIndex(({ id }) => id === this.followed);
    const index = Math.max(found, 0);
    const one = answer.faces[index];
    this.followed = one?.id ?? this.followed;
    // The frame that was sent, not the current one, so that the landmarks match it.
    this.photoView.show(picture, answer.width, answer.height, answer.faces, index);
    element("figures").textContent =
      `${perSecond.toFixed(0)} frames/s · ${answer.milliseconds.toFixed(0)} ms per frame`;
    this.panel.face = one ? String(one.id) : "";
    this.showButtons(index);
    say(one ? "" : "No face in view.");
    if (one) this.showFace(one);
  }

  private showFace(one: LiveFace): void {
    this.panel.showPose(one.turn_nod_tilt_deg);
    this.panel.showWeights(one.blendshapes ?? {});
    this.panel.showQuality(one.quality ?? null);
    this.panel.turn(one.rotation);
    const glb = this.heads.get(one.id);
    if (!glb || this.headOf === one.id) return;
    this.headOf = one.id;
    void this.panel.showHead(glb);
  }

  /** One button per face if there are several. */
  private showButtons(chosen: number): void {
    const count = this.seen.length > 1 ? this.seen.length : 0;
    if (this.faces.childElementCount !== count) {
      const buttons = Array.from({ length: count }, (_, k) =>
        button(`Face ${k + 1}`, `face-${k}`, () => this.choose(k)),
      );
      this.faces.replaceChildren(...buttons);
    }
    press(this.faces, `face-${chosen}`);
  }

  private keepHead(id: number, glb: ArrayBuffer): void {
    const [oldest] = this.heads.keys();
    if (this.heads.size >= HEADS && oldest !== undefined) this.heads.delete(oldest);
    this.heads.set(id, glb);
  }

  private async takePicture(): Promise<void> {
    const picture = await this.camera.photo();
    this.stop();
    if (picture) this.host.photo(picture);
  }

  private async ended(code: string, message: string): Promise<void> {
    this.stop();
    if (code === "no_key" && (await askForKey())) return this.start();
    this.host.left();
    say(message, "warn");
    this.retry.hidden = false;
  }
}
