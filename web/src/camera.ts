/** The camera: its stream, the channel its pictures go through, and words for what is wrong with it. */

import { LiveChannel, type LiveEvents } from "./live";

export class Camera {
  private channel: LiveChannel | null = null;
  private stream: MediaStream | null = null;
  /** Counts starts and stops: what was asked for before the last of them no longer counts. */
  private turn = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: LiveEvents,
  ) {}

  get on(): boolean {
    return this.stream !== null;
  }

  /**
   * Ask the browser for the camera and begin.
   *
   * @returns whether it is on; not if it was stopped in the meantime.
   * @throws what the browser throws without a camera, or without leave.
   */
  async start(): Promise<boolean> {
    this.stop();
    const turn = this.turn;
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
      audio: false,
    });
    if (turn !== this.turn) {
      release(stream);
      return false;
    }
    this.stream = stream;
    this.video.srcObject = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => this.lost(stream), { once: true });
    }
    await this.video.play();
    if (turn !== this.turn) return false;
    this.channel = new LiveChannel(this.video, this.events);
    return true;
  }

  stop(): void {
    this.turn++;
    this.channel?.close();
    this.channel = null;
    if (this.stream) release(this.stream);
    this.stream = this.video.srcObject = null;
  }

  /** What it sees now, as a photo. */
  async photo(): Promise<Blob | null> {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  }

  /** It was unplugged, or the browser took it back. */
  private lost(stream: MediaStream): void {
    if (stream === this.stream) this.events.ended("no_camera", "The camera was taken away.");
  }
}

/** What is wrong, and what to do about it. */
export function cameraWords(error: unknown): string {
  if (!("mediaDevices" in navigator)) return "Cameras need https or localhost.";
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "The browser may not use the camera: allow it in the address bar, then try again.";
  if (name === "NotFoundError") return "There is no camera here: photos work as well.";
  return "The camera cannot be used: perhaps another program has it.";
}

function release(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
