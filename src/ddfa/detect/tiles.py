"""Tiles: the parts of an image around proposed cells, laid out on a sheet, so that one call searches them all."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Int64, UInt8
from ddfa.detect.proposals import STRIDE

_MARGIN: Final = 3  # cells around a proposed one, of which a face has several if it is large


@dataclass(frozen=True, eq=False)
class Tiles:
    """Parts of an image and where they are on a sheet.

    Attributes:
        boxes: (n, 4) int64, x0 y0 x1 y1 px, inside the image, with corners at multiples of `STRIDE` or at its borders.
        places: (n, 2) int64, x y px of their top left corners on the sheet, at multiples of `STRIDE`.
        size: width and height of the sheet, px.
        image_size: width and height of the image, px.
    """

    boxes: Int64
    places: Int64
    size: tuple[int, int]
    image_size: tuple[int, int]

    @staticmethod
    def covering(cells: Bools, image_size: tuple[int, int]) -> "Tiles":
        """Cover proposed cells, and a margin around each.

        Args:
            cells: (rows, columns) bool, of `STRIDE` px.
            image_size: width and height of the image, px.

        Returns:
            A tile for each connected part, or the whole image as one where a sheet of tiles would not be smaller.
        """
        _, _, stats, _ = cv2.connectedComponentsWithStats(with_margin(cells), connectivity=4)
        corner, sides = np.split(stats[1:, :4].astype(np.int64), 2, axis=1)
        places, size = _laid_out(sides)
        boxes = np.minimum(np.concatenate([corner, corner + sides], axis=1) * STRIDE, np.tile(image_size, 2))
        if np.prod(size) * STRIDE**2 >= np.prod(image_size):
            return Tiles(np.array([[0, 0, *image_size]]), np.zeros((1, 2), np.int64), image_size, image_size)
        return Tiles(boxes.astype(np.int64), places * STRIDE, (size[0] * STRIDE, size[1] * STRIDE), image_size)

    def __len__(self) -> int:
        return len(self.boxes)

    def sheet(self, image: UInt8) -> UInt8:
        """Copy the tiles of an image (H, W, 3) to a sheet; what is between them is black."""
        sheet = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        for (x0, y0, x1, y1), (x, y) in zip(self.boxes, self.places, strict=True):
            sheet[y : y + y1 - y0, x : x + x1 - x0] = image[y0:y1, x0:x1]
        return sheet

    def in_image(self, found: Float32) -> tuple[Float32, Bools]:
        """Map boxes (m, 4) on the sheet to the image, px.

        Returns:
            The boxes (m, 4), and which are whole (m,): the others are cut off by a tile although the image goes on.
        """
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        centre = (found[:, None, :2] + found[:, None, 2:]) / 2
        inside: Bools = np.all((centre >= self.places) & (centre < self.places + sides), axis=2)
        tile = inside.argmax(axis=1)
        boxes = found + np.tile(self.boxes[tile, :2] - self.places[tile], 2).astype(np.float32)
        low, high = self.boxes[tile, :2], self.boxes[tile, 2:]
        cut = ((boxes[:, :2] < low) & (low > 0)) | ((boxes[:, 2:] > high) & (high < self.image_size))
        return boxes, np.asarray(inside.any(axis=1) & ~cut.any(axis=1))


def with_margin(cells: Bools) -> UInt8:
    """The cells (rows, columns) to be searched, 0 or 1: proposed ones and a margin around each."""
    return np.asarray(cv2.dilate(cells.astype(np.uint8), np.ones((2 * _MARGIN + 1,) * 2, np.uint8)), np.uint8)


def _laid_out(sides: Int64) -> tuple[Int64, tuple[int, int]]:
    """Lay out rectangles in rows, the highest first.

    Args:
        sides: (n, 2) widths and heights.

    Returns:
        Their top left corners (n, 2), and the width and height of the sheet.
    """
    places = np.zeros((len(sides), 2), np.int64)
    if not len(sides):
        return places, (0, 0)
    width = max(int(sides[:, 0].max()), int(np.ceil(np.sqrt(np.prod(sides, axis=1).sum()))))
    x = y = row = 0
    for index in np.lexsort((-sides[:, 0], -sides[:, 1])):
        if x + sides[index, 0] > width:
            x, y, row = 0, y + row, 0
        places[index] = x, y
        x += sides[index, 0]
        row = max(row, int(sides[index, 1]))
    return places, (width, y + row)
