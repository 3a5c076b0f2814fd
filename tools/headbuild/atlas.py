"""Pack the islands of the head into one texture atlas."""

import numpy as np

from .source import Floats, Ints

MARGIN = 0.006
# Where each island goes: x0, y0, width, height of its cell (y up), and quarter turns to make it upright.
CELLS = {
    "head": (0.0, 0.46, 1.0, 0.54, 1),
    "neck": (0.0, 0.24, 0.62, 0.21, 0),
    "mouth": (0.0, 0.0, 0.30, 0.23, 1),
    "tongue": (0.31, 0.0, 0.11, 0.23, 0),
    "teeth_upper": (0.43, 0.12, 0.19, 0.11, 0),
    "teeth_lower": (0.43, 0.0, 0.19, 0.11, 0),
    "socket_right": (0.63, 0.24, 0.18, 0.21, 0),
    "socket_left": (0.82, 0.24, 0.18, 0.21, 0),
    "eye_right": (0.63, 0.0, 0.18, 0.23, 0),
    "eye_left": (0.82, 0.0, 0.18, 0.23, 0),
}

# MakeHuman gives the face little room: stretch the head's island around the nose, at the cost of the skull.
NOSE_HEIGHT = 0.36  # of the island's height
GAIN = (1.2, 0.8)  # the middle grows by 1 + gain across and along


def pack(uv: Floats, island_of: Ints, names: tuple[str, ...]) -> Floats:
    """Move every island into its cell of the unit square, keeping its proportions.

    Args:
        uv: (U, 2) coordinates, each used by one island only.
        island_of: (U,) island of each coordinate.
        names: island names, keys of CELLS.

    Returns:
        (U, 2) in [0, 1], u right, v up.
    """
    packed = np.empty_like(uv)
    for index, name in enumerate(names):
        mine = island_of == index
        x, y, width, height, turns = CELLS[name]
        points = uv[mine] @ np.linalg.matrix_power([[0, -1], [1, 0]], turns)
        if name == "head":
            points = _magnify(points)
        low, extent = points.min(axis=0), np.ptp(points, axis=0)
        room = np.array([width, height]) - 2 * MARGIN
        scale = (room / extent).min()
        corner = np.array([x, y]) + MARGIN + (room - scale * extent) / 2
        packed[mine] = corner + scale * (points - low)
    return packed


def _magnify(points: Floats) -> Floats:
    """Stretch an island around the middle of the face; each axis on its own, so nothing can overlap."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    middle = low + extent * [0.5, NOSE_HEIGHT]
    stretched = np.empty_like(points)
    for axis, gain in enumerate(GAIN):
        offset = points[:, axis] - middle[axis]
        reach = np.where(offset > 0, low[axis] + extent[axis] - middle[axis], middle[axis] - low[axis])
        share = offset / reach
        stretched[:, axis] = middle[axis] + reach * share * (1 + gain) / (1 + gain * np.abs(share))
    return stretched
