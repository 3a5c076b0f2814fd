/** Irises for heads without a texture, whose eyeballs would be blank. */

import * as THREE from "three";

const CHANNEL = 1; // UV channel: 0 is used by the texture of the photo
const SIZE = 256;
const IRIS = 0.41; // fraction of the eyeball's radius
const PUPIL = 0.16;

let texture: THREE.CanvasTexture | null = null;

/** UV coordinates that project each eyeball from the front. */
export function mapEyes(geometry: THREE.BufferGeometry): void {
  const places = geometry.getAttribute("position") as THREE.BufferAttribute;
  const middle = (edge(places, Math.min) + edge(places, Math.max)) / 2;
  const values = new Float32Array(2 * places.count);
  for (const side of [-1, 1]) {
    const own = [...Array(places.count).keys()].filter((k) => side * (places.getX(k) - middle) > 0);
    const ball = new THREE.Box3().setFromPoints(
      own.map((k) => new THREE.Vector3().fromBufferAttribute(places, k)),
    );
    const centre = ball.getCenter(new THREE.Vector3());
    const size = ball.getSize(new THREE.Vector3());
    for (const k of own) {
      values[2 * k] = 0.5 + (places.getX(k) - centre.x) / size.x;
      values[2 * k + 1] = 0.5 + (places.getY(k) - centre.y) / size.y;
    }
  }
  geometry.setAttribute("uv1", new THREE.BufferAttribute(values, 2));
}

/** Frontal image of an eye, created once. */
export function irisTexture(): THREE.Texture {
  if (texture) return texture;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d");
  if (context) draw(context);
  texture = new THREE.CanvasTexture(canvas);
  texture.channel = CHANNEL;
  texture.colorSpace = THREE.SRGBColorSpace;
  return texture;
}

function draw(context: CanvasRenderingContext2D): void {
  const half = SIZE / 2;
  const disc = (radius: number, fill: string | CanvasGradient): void => {
    context.beginPath();
    context.arc(half, half, radius * half, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
  };
  context.fillStyle = "#e9e6e1";
  context.fillRect(0, 0, SIZE, SIZE);
  const iris = context.createRadialGradient(half, half, PUPIL * half, half, half, IRIS * half);
  iris.addColorStop(0, "#8d9b9c");
  iris.addColorStop(0.75, "#5d7076");
  iris.addColorStop(1, "#36454c");
  disc(IRIS, iris);
  disc(PUPIL, "#14181b");
}

function edge(places: THREE.BufferAttribute, choose: (a: number, b: number) => number): number {
  let found = places.getX(0);
  for (let k = 1; k < places.count; k++) found = choose(found, places.getX(k));
  return found;
}
