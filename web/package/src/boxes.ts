/** Boxes of faces: x0, y0, x1, y1 in px. */

export type Box = readonly [number, number, number, number];

/** A face that the detector has found. */
export interface Detection {
  readonly box: Box;
  readonly score: number;
}

export function area([x0, y0, x1, y1]: Box): number {
  return Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
}

function shared(one: Box, other: Box): number {
  return area([
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
    Math.min(one[2], other[2]),
    Math.min(one[3], other[3]),
  ]);
}

/** Whether two boxes share more than half of the smaller area. */
export function overlapping(one: Box, other: Box): boolean {
  return shared(one, other) > 0.5 * Math.min(area(one), area(other));
}

/**
 * Non-maximum suppression, as in OpenCV: of two boxes whose overlap (IoU) exceeds a limit, the better one is kept.
 *
 * @returns the kept ones, highest score first. As in OpenCV, boxes are compared in whole px.
 */
export function suppressed(found: Detection[], limit: number): Detection[] {
  const whole = ({ box: [x0, y0, x1, y1] }: Detection): Box => {
    const [x, y, width, height] = [x0, y0, x1 - x0, y1 - y0].map(Math.trunc) as [
      number,
      number,
      number,
      number,
    ];
    return [x, y, x + width, y + height];
  };
  const kept: { detection: Detection; box: Box }[] = [];
  for (const detection of [...found].sort((one, other) => other.score - one.score)) {
    const box = whole(detection);
    const repeats = kept.some((other) => {
      const both = shared(box, other.box);
      return both > limit * (area(box) + area(other.box) - both);
    });
    if (!repeats) kept.push({ detection, box });
  }
  return kept.map(({ detection }) => detection);
}
