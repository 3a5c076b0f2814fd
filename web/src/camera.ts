/** The camera: its stream, the channel its frames are sent through, and its error messages. */

import { LiveChannel, type LiveEvents } from "./live";

export class Camera {
  private channel: LiveChannel | null = null;
  private stream: MediaStream | null = null;
  /** Counts starts and stops, so that results of an earlier start are ignored. */
  private turn = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: LiveEvents,
  ) {}

  get on(): boolean {
    return this.stream !== null;
  }

  /**
   * Ask the browser for the camera and start it.
   *
   * @returns whether the camera is on; false if it was stopped in the meantime.
   * @throws what the browser throws if there is no camera or no permission.
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

  /** The current frame as a photo. */
  async photo(): Promise<Blob | null> {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  }

  /** The camera was unplugged, or the permission was revoked. */
  private lost(stream: MediaStream): void {
    if (stream === this.stream) this.events.ended("no_camera", "The camera was disconnected.");
  }
}

/** Message for an error, with the fix. */
export function cameraWords(error: unknown): string {
  if (!("mediaDevices" in navigator)) return "The camera needs https or localhost.";
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "Camera access is blocked: allow it in the address bar, then try again.";
  if (name === "NotFoundError") return "No camera found: use a photo instead.";
  return "The camera is not available: another program may be using it.";
}

function release(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
