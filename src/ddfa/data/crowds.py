"""Sheets of small faces on varied backgrounds, for the proposal network, labelled by YuNet itself.

Photos of single faces are shrunk, turned and pasted, from none to as many as fit; photos without people, magnified
parts of the same photos, shuffled pieces and drawn shapes are the backgrounds.
"""

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32, UInt8
from ddfa.data.degradations import add_noise, gaussian_blur, jpeg, recolour, to_grey
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.detect.proposals import STRIDE
from ddfa.detect.yunet_network import YuNetNetwork

SIDE: Final = 256  # px of a sheet
FACE_SIDES: Final = (11.0, 80.0)  # px, of the faces to be found: longer side of YuNet's boxes
BACKGROUND, NEITHER = -1, -2  # what a cell shows, beside faces
_FACE_SHARE: Final = 0.6  # of the side of a training photo, which its face takes
_DRAWN_SIDES: Final = (8.0, 100.0)
_PIECES: Final = (16, 32, 64)


class CrowdSheets:
    """Draws sheets.

    Args:
        photos: photos of one face each, (H, W, 3) uint8 RGB, the face centred.
        scenes: photos without faces, (H, W, 3) uint8 RGB; may be empty.
    """

    def __init__(self, photos: Sequence[UInt8], scenes: Sequence[UInt8]) -> None:
        # Copies at lower resolution, since shrinking photos of full size takes most of the time otherwise.
        self._sizes = [photos, *([_halved(photo, times) for photo in photos] for times in (1, 2))]
        self._scenes = scenes

    def draw(self, random: np.random.Generator) -> UInt8:
        """Draw a sheet (SIDE, SIDE, 3) uint8 RGB."""
        sheet = self._background(random)
        arrangement = random.random()
        if arrangement < 0.35:
            self._paste_grid(sheet, random)
        elif arrangement < 0.85:
            for _ in range(random.integers(1, 9)):
                self._paste(sheet, _log_uniform(random, *_DRAWN_SIDES), random)
        return _degraded(sheet, random)

    def _photo(self, random: np.random.Generator, side: int = SIDE) -> UInt8:
        """A photo, of at least so many px if it is that large."""
        index = int(random.integers(len(self._sizes[0])))
        photo = next((size[index] for size in reversed(self._sizes) if len(size[index]) >= side), self._sizes[0][index])
        return np.asarray(photo[:, ::-1] if random.random() < 0.5 else photo)

    def _background(self, random: np.random.Generator) -> UInt8:
        kinds: list[Callable[[np.random.Generator], UInt8]] = [self._magnified, self._shuffled, _drawn]
        if self._scenes:
            kinds += [self._scene, self._scene]
        return kinds[random.integers(len(kinds))](random)

    def _magnified(self, random: np.random.Generator) -> UInt8:
        """A part of a photo of a face."""
        return _part(self._photo(random), _log_uniform(random, 0.5, 5), random)

    def _scene(self, random: np.random.Generator) -> UInt8:
        """A part of a photo without faces."""
        scene = self._scenes[int(random.integers(len(self._scenes)))]
        return _part(scene, _log_uniform(random, 0.3, 1.5), random)

    def _shuffled(self, random: np.random.Generator) -> UInt8:
        """Pieces of photos of faces, and of scenes, side by side."""
        side = int(random.choice(_PIECES))
        scale = _log_uniform(random, 0.3, 1.5)
        sheet = np.empty((SIDE, SIDE, 3), np.uint8)
        sources = [_part(self._photo(random), scale, random) for _ in range(6)]
        for y in range(0, SIDE, side):
            for x in range(0, SIDE, side):
                source = sources[random.integers(len(sources))]
                v, u = random.integers(0, SIDE - side + 1, 2)
                sheet[y : y + side, x : x + side] = source[v : v + side, u : u + side]
        return sheet

    def _paste_grid(self, sheet: UInt8, random: np.random.Generator) -> None:
        """Faces of about the same size side by side, as in a photo of a group."""
        face = _log_uniform(random, 12, 48)
        pitch = face * random.uniform(1.2, 2.5)
        count = int(SIDE / pitch) + 1
        for row in range(count):
            for column in range(count):
                centre = (np.array([column, row]) + 0.5 + random.normal(0, 0.1, 2)) * pitch
                self._paste(sheet, face * float(np.exp(random.normal(0, 0.15))), random, centre)

    def _paste(self, sheet: UInt8, face: float, random: np.random.Generator, centre: Floats | None = None) -> None:
        """Paste a photo whose face is about so many px large."""
        side = max(4, round(face / _FACE_SHARE))
        photo = self._photo(random, side)
        small = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA if side < len(photo) else cv2.INTER_LINEAR)
        if random.random() < 0.5:
            turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, random.normal(0, 20), 1)
            small = cv2.warpAffine(small, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
        if random.random() < 0.06:
            small = np.rot90(small, int(random.integers(1, 4)))
        if centre is None:
            centre = random.uniform(0, SIDE, 2).astype(np.float32)
        x0, y0 = np.round(centre - side / 2).astype(int)
        low, high = np.maximum([x0, y0], 0), np.minimum([x0 + side, y0 + side], SIDE)
        if (high <= low).any():
            return
        source = small[low[1] - y0 : high[1] - y0, low[0] - x0 : high[0] - x0]
        target = sheet[low[1] : high[1], low[0] : high[0]]
        if random.random() < 0.4:
            target[:] = source
            return
        mask = _ellipse(side, random)[low[1] - y0 : high[1] - y0, low[0] - x0 : high[0] - x0, None]
        target[:] = (mask * source + (1 - mask) * target).astype(np.uint8)


def proposal_labels(sheet: UInt8, yunet: YuNetNetwork, found: float) -> tuple[Int32, Float32]:
    """Where YuNet finds faces on a sheet.

    Args:
        sheet: (SIDE, SIDE, 3) uint8 RGB.
        yunet: with a score threshold below `found`: faces with scores in between are neither faces nor background.
        found: score from which a face is to be found.

    Returns:
        What each cell shows (SIDE / STRIDE, SIDE / STRIDE): `BACKGROUND`, `NEITHER`, or the number of the face around
        whose centre it is; and the longer sides (n,) of the boxes of the faces, px.
    """
    boxes, scores = yunet(sheet)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    wanted = (scores >= found) & (sides >= FACE_SIDES[0]) & (sides <= FACE_SIDES[1])
    wanted &= ((centres >= 0) & (centres < SIDE)).all(axis=1)
    cells = np.full((SIDE // STRIDE, SIDE // STRIDE), BACKGROUND, np.int32)
    for box in boxes:
        cells[_cells_inside(box, 1.0)] = NEITHER
    for number, face in enumerate(np.flatnonzero(wanted)):
        cells[_cells_inside(boxes[face], 0.5)] = number
    for number, (x, y) in enumerate((centres[wanted] // STRIDE).astype(int)):
        cells[y, x] = number
    return cells, sides[wanted]


def _cells_inside(box: Float32, share: float) -> Bools:
    """Cells whose centre is in the middle of a box, of so much of its sides."""
    axis = (np.arange(SIDE // STRIDE) + 0.5) * STRIDE - 0.5
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * share
    inside = np.abs(axis - centre[:, None]) <= half[:, None]
    return np.asarray(inside[1][:, None] & inside[0][None])


def _halved(photo: UInt8, times: int) -> UInt8:
    scale = 0.5**times
    return np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _part(photo: UInt8, scale: float, random: np.random.Generator) -> UInt8:
    """A random square of a photo resized by about `scale`, at any quarter of a turn, (SIDE, SIDE, 3)."""
    least = min(photo.shape[:2])
    side = min(least, max(8, round(SIDE / scale)))
    y, x = (random.integers(0, extent - side + 1) for extent in photo.shape[:2])
    interpolation = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
    part = cv2.resize(photo[y : y + side, x : x + side], (SIDE, SIDE), interpolation=interpolation)
    return np.ascontiguousarray(np.rot90(part, int(random.integers(4))))


def _drawn(random: np.random.Generator) -> UInt8:
    """Noise at several scales, lines, ellipses and text."""
    field = sum(
        float(random.uniform(0, 20)) * smooth_noise(random, SIDE, (cells, cells)) for cells in (4, 8, 16, 32, 64, 128)
    )
    tint = smooth_noise(random, SIDE, (4, 4), 3) * random.uniform(0, 20)
    sheet = np.clip(random.uniform(20, 235, 3) + field + tint, 0, 255).astype(np.uint8)
    for _ in range(random.integers(0, 60)):
        colour, at = random.integers(0, 256, 3).tolist(), random.integers(0, SIDE, 2).tolist()
        kind = random.integers(4)
        if kind == 0:
            cv2.line(sheet, at, random.integers(0, SIDE, 2).tolist(), colour, int(random.integers(1, 6)), cv2.LINE_AA)
        elif kind == 1:
            axes = random.integers(2, 40, 2).tolist()
            cv2.ellipse(sheet, at, axes, float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 2:
            cv2.rectangle(sheet, at, (np.array(at) + random.integers(2, 60, 2)).tolist(), colour, -1)
        else:
            text = "".join(map(chr, random.integers(33, 127, 12)))
            cv2.putText(sheet, text, at, 0, float(random.uniform(0.3, 2)), colour, int(random.integers(1, 4)))
    return np.asarray(sheet)


def _ellipse(side: int, random: np.random.Generator) -> Float32:
    """An ellipse with a soft edge (side, side), 0 to 1."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    width, height = random.uniform(0.65, 1.0, 2)
    distance = np.sqrt((axis[None] / width) ** 2 + (axis[:, None] / height) ** 2)
    return np.asarray(np.clip((1 - distance) / random.uniform(0.05, 0.3), 0, 1), np.float32)


def _degraded(sheet: UInt8, random: np.random.Generator) -> UInt8:
    """Change colours, contrast and sharpness; add noise and JPEG artefacts."""
    if random.random() < 0.15:
        sheet = to_grey(sheet)
    if random.random() < 0.7:
        gain = np.exp(random.normal(0, 0.25)) * np.exp(random.normal(0, 0.06, 3))
        sheet = recolour(sheet, gain, float(np.exp(random.normal(0, 0.25))), float(random.normal(0, 0.05)))
    if random.random() < 0.25:
        sheet = gaussian_blur(sheet, float(random.uniform(0.3, 1.2)))
    if random.random() < 0.3:
        sheet = add_noise(sheet, random.normal(0, random.uniform(1, 10), sheet.shape))
    if random.random() < 0.4:
        sheet = jpeg(sheet, int(random.integers(40, 96)))
    return sheet


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
