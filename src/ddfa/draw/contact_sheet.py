"""Contact sheet of the faces of a photo: a tile per style of `ddfa.draw.styles`."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.draw.canvas import INK, draw_text, resized, text_size
from ddfa.draw.overlay import draw_figures
from ddfa.draw.pose_box import pose_box_corners
from ddfa.draw.styles import EMPTY_STYLE, OVERLAY_STYLES, OverlayStyle
from ddfa.draw.zbuffer import Figure, figures_of, shown_vertices
from ddfa.faces import Faces
from ddfa.head.model import HeadModel

MOST_FACES: Final = 20  # strips; more would be too small to see
_GRID_TILE: Final = 480  # px, of a single face
_STRIP_TILE: Final = 240  # px, of several faces
_GAP: Final = 0.02  # of a tile
_AROUND: Final = 1.5  # side of the square that is shown, relative to the face
_AROUND_BOX: Final = 1.2  # the same relative to face and pose box, where that is drawn
_TILES: Final[dict[str, OverlayStyle]] = {
    "photo": EMPTY_STYLE,
    "landmarks": OVERLAY_STYLES["landmarks"],
    "mesh": OVERLAY_STYLES["mesh"],
    "wireframe": OVERLAY_STYLES["wireframe"],
    "pose": OVERLAY_STYLES["pose"],
    "depth": OVERLAY_STYLES["depth"],
    "normals": OVERLAY_STYLES["normals"],
    "PNCC": OVERLAY_STYLES["pncc"],
    "UV": OVERLAY_STYLES["uv"],
    "regions": OVERLAY_STYLES["regions"],
}


def draw_sheet(image: UInt8, faces: Faces) -> UInt8:
    """Draw each face in every style: two rows of tiles for a single face, one row per face for several.

    Args:
        image: (H, W, 3) uint8 RGB, the photo the faces were found in.
        faces: at least one face; only the first `MOST_FACES` are drawn.

    Returns:
        The sheet, uint8 RGB; there are no UV and region tiles for a head model without a texture map or regions.
    """
    shown = _tiles_of(faces.head)
    if len(faces) == 1:
        tiles = _tiles(image, faces, shown, _GRID_TILE)
        half = (len(tiles) + 1) // 2
        return _framed([tiles[:half], tiles[half:]], _GRID_TILE)
    return _framed([_tiles(image, face, shown, _STRIP_TILE) for face in faces[:MOST_FACES].singles()], _STRIP_TILE)


def _tiles_of(head: HeadModel) -> dict[str, OverlayStyle]:
    missing = {"UV"} if head.uv is None else set()
    missing |= set() if head.regions else {"regions"}
    return {name: style for name, style in _TILES.items() if name not in missing}


def _tiles(image: UInt8, face: Faces, styles: dict[str, OverlayStyle], side: int) -> list[UInt8]:
    """One face in each style, each tile (side + caption, side, 3)."""
    points = face.vertices[0, shown_vertices(face.head) > 0, :2]
    box = pose_box_corners(face.landmarks68[0], face.rotation[0])
    figures: dict[tuple[float, tuple[float, float]], list[Figure]] = {}  # tiles of one view share their z-buffer
    tiles = []
    for name, style in styles.items():
        shown, around = (np.vstack([points, box]), _AROUND_BOX) if style.pose else (points, _AROUND)
        tile, scale, origin = _close_up(image, shown, around, side)
        if (scale, origin) not in figures:
            figures[scale, origin] = figures_of(face, scale, origin)
        draw_figures(tile, figures[scale, origin], style)
        tiles.append(np.vstack([tile, _caption(name, side)]))
    return tiles


def _close_up(image: UInt8, points: Float32, around: float, side: int) -> tuple[UInt8, float, tuple[float, float]]:
    """Crop the square around points (K, 2) to (side, side, 3); also returns scale and origin for `figures_of`."""
    low, high = points.min(axis=0), points.max(axis=0)
    length = max(2, round(around * float((high - low).max())))
    x0, y0 = (round(float(value)) for value in (low + high) / 2 - length / 2)
    inside = image[max(y0, 0) : max(y0 + length, 0), max(x0, 0) : max(x0 + length, 0)]
    square = np.full((length, length, 3), INK, np.uint8)
    if inside.size:
        top, left = max(-y0, 0), max(-x0, 0)
        square[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return resized(square, side / length)[:side, :side], side / length, (float(x0), float(y0))


def _caption(name: str, side: int) -> UInt8:
    letters = max(11.0, side / 26)
    strip = np.full((round(2.2 * letters), side, 3), INK, np.uint8)
    width, height = text_size(name, letters)
    draw_text(strip, name, (side - width) // 2, (strip.shape[0] + height) // 2, letters)
    return strip


def _framed(rows: list[list[UInt8]], side: int) -> UInt8:
    """Lay out tiles of one size in rows, with gaps between and around them."""
    gap, columns = max(2, round(_GAP * side)), len(rows[0])
    height, width = rows[0][0].shape[:2]
    sheet = np.full(((height + gap) * len(rows) + gap, (width + gap) * columns + gap, 3), INK, np.uint8)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            y, x = gap + row * (height + gap), gap + column * (width + gap)
            sheet[y : y + height, x : x + width] = tile
    return sheet
