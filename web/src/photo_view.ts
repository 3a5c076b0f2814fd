/** A photo or a camera frame on a canvas, with an overlay of boxes and landmarks. */

import type { Pose } from "./api";
import { GROUPS } from "./landmarks";

type Picture = ImageBitmap | HTMLCanvasElement;

const CLOSE = 2.1; // size of a close-up relative to the face's box
const TALLEST = 0.54; // of the window height, like the head beside it
const TALLEST_ON_PHONES = 0.4; // leaves space for the head below it

export class PhotoView {
  private picture: Picture | null = null;
  private faces: readonly Pose[] = [];
  private chosen = 0;
  /** Image size that the faces' coordinates refer to; it may differ from the size of the canvas. */
  private width = 1;
  private height = 1;
  private close = false;
  /** Visible part of the image: left and top edge, and magnification. */
  private view = { x: 0, y: 0, zoom: 1 };

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly closer: HTMLElement,
    private readonly pick: (face: number) => void,
  ) {
    canvas.addEventListener("click", (event) => {
      const found = this.faceAt(event);
      if (found >= 0) this.pick(found);
    });
    canvas.addEventListener("pointermove", (event) => {
      canvas.style.cursor = this.faceAt(event) >= 0 ? "pointer" : "";
    });
    this.closer.addEventListener("click", () => {
      this.close = !this.close;
      this.closer.setAttribute("aria-pressed", String(this.close));
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    addEventListener("resize", () => this.fit());
  }

  show(picture: Picture, width: number, height: number, faces: readonly Pose[], chosen: number): void {
    const resized = width !== this.width || height !== this.height;
    Object.assign(this, { picture, width, height, faces, chosen });
    this.closer.hidden = !faces.length;
    if (resized) this.fit();
    this.draw();
  }

  choose(face: number): void {
    this.chosen = face;
    this.draw();
  }

  /** Fit the panel's width within the window's height; the element has the image's shape, so clicks need no offset. */
  private fit(): void {
    const part = innerWidth <= 720 ? TALLEST_ON_PHONES : TALLEST;
    const tallest = Math.max(240, part * innerHeight);
    this.canvas.style.aspectRatio = `${this.width} / ${this.height}`;
    this.canvas.style.maxWidth = `${Math.round((tallest * this.width) / this.height)}px`;
  }

  private draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context || !this.picture) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round((this.canvas.width * this.height) / this.width));
    this.view = this.viewed();
    const zoom = (this.view.zoom * this.canvas.width) / this.width;
    context.setTransform(zoom, 0, 0, zoom, -zoom * this.view.x, -zoom * this.view.y);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, 0, 0, this.width, this.height);
    context.translate(0.5, 0.5); // pixel centres are integers for the service, pixel corners for a canvas
    this.faces.forEach((face, index) => this.drawFace(context, face, index, ratio / zoom));
  }

  /** The whole image, or a part of the same shape around the chosen face. */
  private viewed(): { x: number; y: number; zoom: number } {
    const box = this.faces[this.chosen]?.box;
    if (!this.close || !box) return { x: 0, y: 0, zoom: 1 };
    const [x0, y0, x1, y1] = box as [number, number, number, number];
    const zoom = Math.max(
      1,
      Math.min(this.width / (CLOSE * (x1 - x0)), this.height / (CLOSE * 0.7 * (y1 - y0))),
    );
    const start = (middle: number, size: number): number =>
      Math.min(Math.max(middle - size / zoom / 2, 0), size - size / zoom);
    return { x: start((x0 + x1) / 2, this.width), y: start((y0 + y1) / 2, this.height), zoom };
  }

  /** @param pixel size of a screen pixel, in px of the photo. */
  private drawFace(context: CanvasRenderingContext2D, face: Pose, index: number, pixel: number): void {
    const chosen = index === this.chosen;
    const [x0, y0, x1, y1] = face.box as [number, number, number, number];
    context.lineWidth = (chosen ? 2.5 : 1.5) * pixel;
    context.strokeStyle = chosen ? "#ffffff" : "rgba(255, 255, 255, 0.65)";
    context.shadowColor = "rgba(0, 0, 0, 0.7)";
    context.shadowBlur = 3;
    context.beginPath();
    context.roundRect(x0, y0, x1 - x0, y1 - y0, 4 * pixel);
    context.stroke();
    if (this.faces.length > 1) drawNumber(context, String(index + 1), x0, y0, pixel, chosen);
    // The size of the points follows the size of the face.
    const radius = Math.max(1.3 * pixel, Math.min(3.2 * pixel, (x1 - x0) / 65));
    context.lineWidth = 0.6 * radius;
    for (const { colour, runs } of GROUPS) {
      context.strokeStyle = context.fillStyle = colour;
      for (const { from, to, closed } of runs) drawRun(context, face, from, to, closed, radius);
    }
    context.shadowBlur = 0;
  }

  private faceAt(event: MouseEvent): number {
    const pixel = this.width / this.canvas.clientWidth / this.view.zoom;
    const x = this.view.x + event.offsetX * pixel;
    const y = this.view.y + event.offsetY * pixel;
    return this.faces.findIndex(
      ({ box: [x0 = 0, y0 = 0, x1 = 0, y1 = 0] }) => x >= x0 && x <= x1 && y >= y0 && y <= y1,
    );
  }
}

/** The number of a face at the corner of its box, as on its button. */
function drawNumber(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  pixel: number,
  chosen: boolean,
): void {
  context.save();
  context.shadowBlur = 0;
  context.font = `600 ${12 * pixel}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 10 * pixel;
  context.fillStyle = chosen ? "#ffffff" : "rgba(15, 20, 26, 0.75)";
  context.beginPath();
  context.roundRect(x, y - 18 * pixel, width, 18 * pixel, 4 * pixel);
  context.fill();
  context.fillStyle = chosen ? "#10151b" : "#ffffff";
  context.fillText(text, x + 5 * pixel, y - 5 * pixel);
  context.restore();
}

function drawRun(
  context: CanvasRenderingContext2D,
  face: Pose,
  from: number,
  to: number,
  closed: boolean,
  radius: number,
): void {
  const points = face.landmarks68.slice(from, to + 1) as [number, number][];
  context.globalAlpha = 0.55;
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
  context.stroke();
  context.globalAlpha = 1;
  points.forEach(([x, y], k) => {
    context.globalAlpha = (face.landmark_occlusion?.[from + k] ?? 0) > 0.5 ? 0.45 : 1; // faint: probably hidden
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (face.visibility68[from + k]) context.fill();
    else context.stroke(); // hollow: hidden by the head itself
  });
  context.globalAlpha = 1;
}
