/** A photo with the answer of the service. */

import { align, type Answer, type FaceFile } from "./api";
import { button, square } from "./dom";

export interface Shot {
  photo: Blob;
  bitmap: ImageBitmap;
  answer: Answer;
  /** Files that have been asked for afterwards, by kind. */
  asked: Map<string, Promise<void>>;
}

/** The photo decoded by the browser; null if the browser does not support its format. */
export async function decoded(photo: Blob): Promise<ImageBitmap | null> {
  return createImageBitmap(photo, { imageOrientation: "from-image" }).catch(() => null);
}

/** Placeholder for a photo that the browser cannot decode. */
export async function blank(): Promise<ImageBitmap> {
  return createImageBitmap(new ImageData(1, 1));
}

/** A file of a face. The service stores nothing, so the photo is sent again, once, for a missing file. */
export async function fileOf(shot: Shot, face: number, kind: string): Promise<FaceFile | null> {
  const { answer, asked } = shot;
  if (!answer.faces[face]?.files[kind]) {
    if (!asked.has(kind))
      asked.set(
        kind,
        addFiles(shot, kind).finally(() => asked.delete(kind)),
      );
    await asked.get(kind);
  }
  return answer.faces[face]?.files[kind] ?? null;
}

async function addFiles({ photo, answer }: Shot, kind: string): Promise<void> {
  const again = await align(photo, [kind]);
  again.faces.forEach((one, k) => Object.assign(answer.faces[k]?.files ?? {}, one.files));
}

/** Name of a file after the photo: portrait.jpg and face_1.glb give portrait_1.glb. */
export function nameFor({ photo }: Shot, file: FaceFile): string {
  const stem = photo instanceof File ? photo.name.replace(/\.[^.]*$/, "") : "";
  return stem ? file.name.replace(/^face(?=_)/, stem) : file.name;
}

/** A button that shows one face of a photo. */
export function faceButton({ bitmap, answer }: Shot, face: number, clicked: () => void): HTMLButtonElement {
  const one = button("", `face-${face}`, clicked);
  const [x0 = 0, y0 = 0, x1 = 1, y1 = 1] = answer.faces[face]?.box ?? [];
  const side = 1.25 * Math.max(x1 - x0, y1 - y0);
  const zoom = bitmap.width / answer.image.width;
  const [x, y] = [(x0 + x1 - side) / 2, (y0 + y1 - side) / 2];
  const text = document.createElement("span");
  text.textContent = `Face ${face + 1}`;
  one.className = "face";
  one.append(square(bitmap, zoom * x, zoom * y, zoom * side, 72), text);
  return one;
}

/** A button that shows a photo again. */
export function thumbButton(
  { bitmap, answer }: Shot,
  number: number,
  clicked: () => void,
): HTMLButtonElement {
  const count = answer.faces.length;
  const one = button("", `shot-${number}`, clicked);
  const side = Math.min(bitmap.width, bitmap.height);
  one.className = "thumb";
  one.setAttribute("aria-label", `Photo ${number + 1}, ${count === 1 ? "one face" : `${count} faces`}`);
  one.append(square(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, 112));
  return one;
}
