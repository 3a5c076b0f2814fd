"""Quality of face replacement in photos: figures per pair, and a contact sheet to look at; docs/replace.md.

    python benchmarks/replacement.py [SOURCE.jpg:TARGET.jpg ...] [--drawn N] [--sheet OUT.png]

Pairs are photos, or drawn people, of whom the right result is known: person A's face, in B's tone of skin, under B's
pose, light and expression. SOURCE.jpg#1 is the second largest face of a photo. Columns: how far skin and shape have
moved from the target (0) to the source (1); gradient at the border of the changed area relative to the target's; rms
difference of the shading from the target's, log units; of drawn pairs the mean difference from the truth, grey levels,
on skin and around the eyes, and beside each that of the target itself. A replacement needs the consent of both people.
"""

from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.bench.drawn_pairs import PairPainter
from ddfa.bench.replacement import ReplacementFigures, ReplacementJudge, error
from ddfa.draw.canvas import draw_text
from ddfa.faces import Faces
from ddfa.images import SyntheticImage, read_image
from ddfa.provenance import write_synthetic
from ddfa.replace.replacer import Replacer
from ddfa.replace.source import select_face, source_from_photos

TILE = 240  # px
PER_ROW = 2  # pairs of the sheet
AROUND = 1.25  # side of the shown square relative to the face's RoI


class Pair(NamedTuple):
    """A pair to measure; `truth` and its two masks are those of `ddfa.bench.drawn_pairs`, None for photos."""

    name: str
    source: UInt8
    source_face: Faces
    target: UInt8
    target_face: Faces
    truth: UInt8 | None = None
    skin: Float32 | None = None
    eyes: Float32 | None = None


def main(
    pairs: tyro.conf.Positional[tuple[str, ...]] = (), drawn: int = 12, sheet: Path | None = None, seed: int = 0
) -> None:
    """Print figures per pair and their medians.

    Args:
        pairs: SOURCE:TARGET, photos.
        drawn: number of drawn pairs.
        sheet: write source, target, result and truth of each pair.
        seed: of the first drawn pair.
    """
    aligner = FaceAligner(threads=1)
    judge, tiles, rows = None, [], []
    print("skin moved | shape moved | seam | light | error on skin (before) | around the eyes (before) | pair")
    for number, pair in enumerate([*photo_pairs(aligner, pairs), *drawn_pairs(aligner, drawn, seed)]):
        replacer = Replacer(source_from_photos([pair.source], [pair.source_face]))
        result = replacer(pair.target, pair.target_face).unmarked_pixels
        judge = judge or ReplacementJudge(replacer.surface)
        again = aligner(result, landmarks=pair.target_face.landmarks68)
        figures = judge((pair.source, pair.source_face), (pair.target, pair.target_face), (result, again))
        rows.append(row(pair, result, figures))
        print(" | ".join(f"{value:6.2f}" for value in rows[-1]), "|", pair.name, flush=True)
        tiles.append(strip(pair, result, str(number)))
    print(" | ".join(f"{value:6.2f}" for value in np.nanmedian(rows, axis=0)), "| median")
    if sheet is not None:
        lines = [tiles[k : k + PER_ROW] for k in range(0, len(tiles), PER_ROW)]
        lines[-1] += [np.zeros_like(tiles[0])] * (PER_ROW - len(lines[-1]))
        write_synthetic(sheet, SyntheticImage(np.vstack([np.hstack(line) for line in lines])))


def photo_pairs(aligner: FaceAligner, pairs: tuple[str, ...]):
    """Read the pairs of photos."""
    for pair in pairs:
        images, faces = zip(*(photo(aligner, name) for name in pair.split(":")), strict=True)
        yield Pair(" ".join(Path(name).stem for name in pair.split(":")), images[0], faces[0], images[1], faces[1])


def photo(aligner: FaceAligner, name: str) -> tuple[UInt8, Faces]:
    """Read a photo and choose a face."""
    path, _, index = name.partition("#")
    image = read_image(Path(path))
    return image, select_face(aligner(image, refine=True), int(index or 0), path)


def drawn_pairs(aligner: FaceAligner, count: int, seed: int):
    """Draw pairs."""
    if not count:
        return
    painter = PairPainter(aligner.head)
    for number in range(seed, seed + count):
        pair = painter(number)
        faces = [
            aligner(pair.source, landmarks=pair.source_landmarks),
            aligner(pair.target, landmarks=pair.target_landmarks),
        ]
        yield Pair(f"drawn {number}", pair.source, faces[0], pair.target, faces[1], pair.truth, pair.skin, pair.eyes)


def row(pair: Pair, result: UInt8, figures: ReplacementFigures) -> list[float]:
    """The figures of a pair."""
    values = list(astuple(figures))
    for mask in (pair.skin, pair.eyes):
        if pair.truth is None or mask is None:
            values += [np.nan, np.nan]
        else:
            values += [error(pair.truth, result, mask), error(pair.truth, pair.target, mask)]
    return values


def strip(pair: Pair, result: UInt8, number: str) -> UInt8:
    """Source, target, result and truth side by side."""
    shown = [(pair.source, pair.source_face), (pair.target, pair.target_face), (result, pair.target_face)]
    if pair.truth is not None:
        shown.append((pair.truth, pair.target_face))
    tiles = [close_up(image, face) for image, face in shown]
    tiles += [np.zeros((TILE, TILE, 3), np.uint8)] * (4 - len(tiles))
    draw_text(tiles[0], number, 6, 22, 14)
    return np.hstack(tiles)


def close_up(image: UInt8, face: Faces) -> UInt8:
    """The square around a face, (TILE, TILE, 3)."""
    x0, y0, x1, y1 = (float(value) for value in face.roi[0])
    scale = TILE / (AROUND * (x1 - x0))
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    shift = TILE / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if scale < 0.5:  # warping does not average
        small = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.warpAffine(small, matrix / np.array([[2 * scale, 2 * scale, 1]]), (TILE, TILE)), np.uint8)
    return np.asarray(cv2.warpAffine(image, matrix, (TILE, TILE), flags=flags), np.uint8)


if __name__ == "__main__":
    tyro.cli(main)
