/** Images as RGB bytes, and their reduction as in OpenCV, which the detector in Python uses. */

/** An image: height x width x 3 bytes, RGB, upright. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Drop the alpha channel of a canvas' pixels. */
export function fromImageData({ width, height, data }: ImageData): Pixels {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) {
    rgb[j] = data[i]!;
    rgb[j + 1] = data[i + 1]!;
    rgb[j + 2] = data[i + 2]!;
  }
  return { width, height, rgb };
}

/** Resize an image by a factor: by halves, then bilinearly. */
export function resized(image: Pixels, scale: number): Pixels {
  const width = Math.max(1, roundedEven(image.width * scale));
  const height = Math.max(1, roundedEven(image.height * scale));
  while (image.width >= 2 * width && image.height >= 2 * height) {
    image = bilinear(image, Math.ceil(image.width / 2), Math.ceil(image.height / 2));
  }
  return image.width === width && image.height === height ? image : bilinear(image, width, height);
}

/** Round half to even, as Python does. */
function roundedEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** For each pixel of the result the pixel before it, that after it, and the weight of the latter in 1/2048. */
function taps(from: number, to: number): { before: Int32Array; after: Int32Array; weight: Int32Array } {
  const before = new Int32Array(to);
  const after = new Int32Array(to);
  const weight = new Int32Array(to);
  for (let k = 0; k < to; k++) {
    const position = Math.min(Math.max(((k + 0.5) * from) / to - 0.5, 0), from - 1);
    before[k] = Math.floor(position);
    after[k] = Math.min(before[k]! + 1, from - 1);
    weight[k] = Math.round((position - before[k]!) * 2048);
  }
  return { before, after, weight };
}

/** `cv2.resize` with `INTER_LINEAR`, including its arithmetic in integers. */
function bilinear({ width, height, rgb }: Pixels, toWidth: number, toHeight: number): Pixels {
  const x = taps(width, toWidth);
  const y = taps(height, toHeight);
  const rows = new Map<number, Int32Array>();
  const row = (number: number): Int32Array => {
    let blended = rows.get(number);
    if (!blended) {
      blended = new Int32Array(toWidth * 3);
      const start = number * width * 3;
      for (let k = 0, at = 0; k < toWidth; k++) {
        const left = start + 3 * x.before[k]!;
        const right = start + 3 * x.after[k]!;
        const share = x.weight[k]!;
        for (let channel = 0; channel < 3; channel++, at++) {
          blended[at] = rgb[left + channel]! * (2048 - share) + rgb[right + channel]! * share;
        }
      }
      rows.set(number, blended);
    }
    return blended;
  };
  const result = new Uint8Array(toWidth * toHeight * 3);
  for (let k = 0, at = 0; k < toHeight; k++) {
    const above = row(y.before[k]!);
    const below = row(y.after[k]!);
    const share = y.weight[k]!;
    for (const number of rows.keys()) if (number < y.before[k]!) rows.delete(number);
    for (let i = 0; i < above.length; i++, at++) {
      const upper = ((2048 - share) * (above[i]! >> 4)) >> 16;
      const lower = (share * (below[i]! >> 4)) >> 16;
      result[at] = (upper + lower + 2) >> 2;
    }
  }
  return { width: toWidth, height: toHeight, rgb: result };
}
