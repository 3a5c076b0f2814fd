/** The live channel: sends one camera frame at a time to the service and receives faces. */

import { currentApiKey, type Pose } from "./api";

export interface LiveFace extends Pose {
  id: number;
}

export interface LiveAnswer {
  width: number;
  height: number;
  milliseconds: number;
  faces: LiveFace[];
}

export interface LiveEvents {
  /** Faces of a frame, the frame they were found in, and the frame rate. */
  faces(answer: LiveAnswer, picture: HTMLCanvasElement, perSecond: number): void;
  /** The textured head of a face, as GLB. */
  head(id: number, glb: ArrayBuffer): void;
  /** The channel has closed; `code` is the error code of the service, or "closed". */
  ended(code: string, message: string): void;
}

interface Message extends LiveAnswer {
  type: string;
  id: number;
  code: string;
  message: string;
}

const WIDEST = 640; // px of a frame that is sent: larger ones do not improve the faces
const QUALITY = 0.8;

export class LiveChannel {
  private readonly socket: WebSocket;
  private readonly canvas = document.createElement("canvas");
  private headOf: number | null = null;
  private over = false;
  private sentAt = 0;
  private perSecond = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: LiveEvents,
  ) {
    const address = new URL("v1/live", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket.send(JSON.stringify({ type: "hello", key: currentApiKey() }));
    this.socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.receive(event.data);
    this.socket.onclose = () => this.end("closed", "The connection to the service was lost.");
  }

  close(): void {
    this.over = true;
    this.socket.close();
  }

  private receive(data: string | ArrayBuffer): void {
    if (data instanceof ArrayBuffer) {
      if (this.headOf !== null) this.events.head(this.headOf, data);
      return;
    }
    const message = JSON.parse(data) as Message;
    if (message.type === "error") this.end(message.code, message.message);
    else if (message.type === "head") this.headOf = message.id;
    else if (message.type === "ready") void this.send();
    else {
      const now = 1000 / Math.max(performance.now() - this.sentAt, 1);
      this.perSecond = this.perSecond ? 0.9 * this.perSecond + 0.1 * now : now;
      this.events.faces(message, this.canvas, this.perSecond);
      void this.send();
    }
  }

  private async send(): Promise<void> {
    const { videoWidth, videoHeight } = this.video;
    if (this.over || this.socket.readyState !== WebSocket.OPEN) return;
    if (!videoWidth || document.hidden) {
      setTimeout(() => void this.send(), 200); // the camera is starting, or the page is hidden
      return;
    }
    this.sentAt = performance.now();
    const scale = Math.min(1, WIDEST / videoWidth);
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d")?.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const picture = await new Promise<Blob | null>((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
    if (picture && !this.over && this.socket.readyState === WebSocket.OPEN) this.socket.send(picture);
  }

  private end(code: string, message: string): void {
    if (this.over) return;
    this.over = true;
    this.socket.close();
    this.events.ended(code, message);
  }
}
