/** A photo or a camera picture on a canvas, with boxes and landmarks over it. */

import type { Pose } from "./api";
import { GROUPS } from "./landmarks";

type Picture = ImageBitmap | HTMLVideoElement;

export class PhotoView {
  private picture: Picture | null = null;
  private faces: readonly Pose[] = [];
  private chosen = 0;
  /** Size of what the faces' coordinates speak of: the service may see another size than the canvas. */
  private width = 1;
  private height = 1;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly pick: (face: number) => void,
  ) {
    canvas.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(picture: Picture, width: number, height: number, faces: readonly Pose[], chosen: number): void {
    Object.assign(this, { picture, width, height, faces, chosen });
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.draw();
  }

  choose(face: number): void {
    this.chosen = face;
    this.draw();
  }

  private draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context || !this.picture) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(
      1,
      Math.round((this.canvas.clientWidth * ratio * this.height) / this.width),
    );
    const zoom = this.canvas.width / this.width;
    context.drawImage(this.picture, 0, 0, this.canvas.width, this.canvas.height);
    // Centres of pixels are integers for the service, corners are for a canvas.
    context.setTransform(zoom, 0, 0, zoom, 0.5 * zoom, 0.5 * zoom);
    this.faces.forEach((face, index) => this.drawFace(context, face, index === this.chosen, ratio / zoom));
  }

  private drawFace(context: CanvasRenderingContext2D, face: Pose, chosen: boolean, pixel: number): void {
    const [x0, y0, x1, y1] = face.box as [number, number, number, number];
    context.lineWidth = (chosen ? 2.5 : 1.5) * pixel;
    context.strokeStyle = chosen ? "#ffffff" : "rgba(255, 255, 255, 0.6)";
    context.shadowColor = "rgba(0, 0, 0, 0.7)";
    context.shadowBlur = 3;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    // Small faces get small points.
    const radius = Math.max(1.2 * pixel, Math.min(3.2 * pixel, (x1 - x0) / 65));
    context.lineWidth = 0.6 * radius;
    for (const { colour, runs } of GROUPS) {
      context.strokeStyle = context.fillStyle = colour;
      for (const { from, to, closed } of runs) this.drawRun(context, face, from, to, closed, radius);
    }
    context.shadowBlur = 0;
  }

  private drawRun(
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
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (face.visibility68[from + k]) context.fill();
      else context.stroke(); // hidden ones are hollow
    });
  }

  private clicked(event: MouseEvent): void {
    const zoom = this.width / this.canvas.clientWidth;
    const x = event.offsetX * zoom;
    const y = event.offsetY * zoom;
    const inside = ({ box: [x0, y0, x1, y1] }: Pose): boolean =>
      x >= (x0 ?? 0) && x <= (x1 ?? 0) && y >= (y0 ?? 0) && y <= (y1 ?? 0);
    const found = this.faces.findIndex(inside);
    if (found >= 0) this.pick(found);
  }
}
