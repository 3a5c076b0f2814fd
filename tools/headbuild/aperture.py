"""The openings of the skin: eyes and mouth, as columns and rings of control points.

Around each opening MakeHuman's quads form a regular ring grid.  Ring 0 is where the skin meets the pocket behind it,
higher rings lie farther out; a column runs from ring 1 outwards.
"""

from dataclasses import dataclass

import numpy as np

from ddfa.data.registration.landmark_placement import rings_from

from .control import PARTS, Control
from .source import Floats, Ints

EYE_MARGIN, EYE_OUTER = 3, 11  # ring of the lid's edge, and of the skin that a blink leaves in place
LIP_CONTACT, LIP_OUTER = 4, 10  # last ring where closed lips touch, and first one that closing them leaves in place
POCKET_RINGS = 4  # over so many rings behind the lips the inner mouth parts from the skin
TEETH = ("teeth_upper", "teeth_lower")
MOUTH_BACK, MOUTH_SHRINK = np.array([0.0, 0.0, -3.0]), 0.07  # mm, and a fraction
LOWER_LID_SHARE = 0.1  # of the way to close the eye
LID_CLEARANCE = 0.6  # mm, how much a closed lid bulges, so that half-closed ones clear the eyeball


@dataclass(frozen=True)
class Aperture:
    """One opening.

    Attributes:
        columns: (N, K) control points; column n, ring k + 1.
        upper: (N,) True for columns above the opening.
        innermost: control points of ring 0 and, for each, its column.
    """

    columns: Ints
    upper: np.ndarray
    innermost: tuple[Ints, Ints]

    def spread(self, of_columns: Floats, of_rings: Floats, count: int) -> Floats:
        """(C,) field: value of the column times value of the ring (ring 0 first); 0 elsewhere."""
        field = np.zeros(count)
        rings = min(self.columns.shape[1], len(of_rings) - 1)
        field[self.columns[:, :rings]] = of_columns[:, None] * of_rings[1 : rings + 1]
        field[self.innermost[0]] = of_columns[self.innermost[1]] * of_rings[0]
        return field

    def edge(self, points: Floats, ring: int, upper: bool) -> Floats:
        """(n, 3) points of a ring on one side, sorted by x, with both corners."""
        line = points[self.columns[:, ring - 1]]
        corners = line[[line[:, 0].argmin(), line[:, 0].argmax()]]
        side = np.concatenate([line[self.upper == upper], corners])
        return np.unique(side[np.argsort(side[:, 0])], axis=0)


def find_aperture(control: Control, mean: Floats, pocket: str, side: int, rings: int) -> Aperture:
    """Trace the columns around an opening.

    Args:
        control: the control mesh.
        mean: (C, 3) control points in head space.
        pocket: the part behind the opening, `eye_socket` or `mouth_inner`.
        side: +1 for the subject's left, -1 for the right, 0 for the middle.
        rings: how many rings to trace at most.
    """
    skin_triangles = control.triangles[control.parts == 0]
    behind = np.isin(np.arange(len(mean)), control.triangles[control.parts == PARTS.index(pocket)])
    seed = behind & np.isin(np.arange(len(mean)), skin_triangles)
    if side:
        seed &= side * mean[:, 0] > 0
    ring_of = rings_from(skin_triangles, seed, rings)
    edges = np.sort(control.edges, axis=1)
    columns = [np.flatnonzero(ring_of == 1)]
    for ring in range(1, rings):
        step = _step(edges, ring_of, columns[-1], ring + 1)
        if step is None:
            break
        columns.append(step)
    grid = np.stack(columns, axis=1)
    inner = np.flatnonzero(ring_of == 0)
    nearest = np.linalg.norm(mean[inner, None] - mean[grid[:, 0]][None], axis=2).argmin(axis=1)
    return Aperture(grid, _upper(mean[grid[:, -1]]), (inner, nearest))


def _step(edges: Ints, ring_of: Ints, here: Ints, ring: int) -> Ints | None:
    """The neighbour in the next ring of each point, if the grid is still regular there."""
    both = np.concatenate([edges, edges[:, ::-1]])
    outward = both[np.isin(both[:, 0], here) & (ring_of[both[:, 1]] == ring)]
    outward = np.unique(outward, axis=0)
    regular = (
        len(outward) == len(here) == len(np.unique(outward[:, 1])) and (np.unique(outward[:, 0]) == np.sort(here)).all()
    )
    if not regular:
        return None
    lookup = dict(outward.tolist())
    return np.array([lookup[point] for point in here.tolist()])


def _upper(ring: Floats) -> np.ndarray:
    """Which points of a wide ring lie above the line between its corners."""
    low, high = ring[ring[:, 0].argmin()], ring[ring[:, 0].argmax()]
    line = np.interp(ring[:, 0], [low[0], high[0]], [low[1], high[1]])
    return ring[:, 1] > line


def close_lips(mouth: Aperture, mean: Floats) -> Floats:
    """(C, 3) displacement that makes the resting lips touch along their whole length."""
    columns = mouth.columns[:, :LIP_CONTACT]
    height, across = mean[columns, 1], mean[columns[:, LIP_CONTACT - 2], 0]
    touch = np.where(mouth.upper, height.min(axis=1), height.max(axis=1))

    def other(upper: bool) -> Floats:
        mine = mouth.upper == upper
        order = np.argsort(across[mine])
        return np.interp(across, across[mine][order], touch[mine][order])

    gap = np.maximum(other(True) - other(False), 0.0)
    fade = np.concatenate([np.ones(LIP_CONTACT + 1), np.linspace(1, 0, LIP_OUTER - LIP_CONTACT + 1)[1:]])
    field = np.zeros_like(mean)
    field[:, 1] = mouth.spread(np.where(mouth.upper, -0.5, 0.5) * gap, fade, len(mean))
    return field


def settle_mouth(control: Control, mean: Floats) -> Floats:
    """(C, 3) displacement that draws the inner mouth and the teeth back, so that no person's skin lets them through."""
    points = np.arange(len(mean))
    pocket_triangles = control.triangles[control.parts == PARTS.index("mouth_inner")]
    pocket = np.isin(points, pocket_triangles)
    border = pocket & np.isin(points, control.triangles[control.parts == 0])
    ring = rings_from(pocket_triangles, border, POCKET_RINGS)
    ring[pocket & (ring < 0)] = POCKET_RINGS
    depth = np.maximum(ring, 0) / POCKET_RINGS
    teeth = np.isin(points, control.triangles[np.isin(control.parts, [PARTS.index(x) for x in TEETH])])
    depth[teeth] = 1.0
    centre = mean[pocket].mean(axis=0)
    return depth[:, None] * (MOUTH_BACK - MOUTH_SHRINK * (mean - centre))


def blink(eye: Aperture, mean: Floats, centre: Floats) -> Floats:
    """(C, 3) displacement that closes the eye: the lids turn about the eyeball until their edges meet.

    Args:
        eye: the opening.
        mean: (C, 3) control points in head space.
        centre: (3,) of the eyeball.
    """
    margin = mean[eye.columns[:, EYE_MARGIN - 1]]
    upper, lower = (_elevation(margin[:, 0], eye.edge(mean, EYE_MARGIN, side), centre) for side in (True, False))
    opening = np.maximum(upper - lower, 0.0)
    turn = np.where(eye.upper, -(1 - LOWER_LID_SHARE), LOWER_LID_SHARE) * opening
    fade = np.concatenate([np.ones(EYE_MARGIN + 1), np.linspace(1, 0, EYE_OUTER - EYE_MARGIN + 1)[1:]])
    angle = eye.spread(turn, fade, len(mean))
    bulge = LID_CLEARANCE * eye.spread(np.where(eye.upper, opening / opening.max(), 0.0), fade, len(mean))
    offset = mean - centre
    y, z = offset[:, 1], offset[:, 2]
    reach = np.hypot(y, z)
    turned = np.stack(
        [mean[:, 0] * 0, y * np.cos(angle) + z * np.sin(angle), z * np.cos(angle) - y * np.sin(angle)], axis=1
    )
    turned *= ((reach + bulge) / np.maximum(reach, 1e-9))[:, None]
    field = turned - offset * np.array([0.0, 1.0, 1.0])
    field[angle == 0] = 0
    return field


def _elevation(x: Floats, edge: Floats, centre: Floats) -> Floats:
    """Angle above the horizontal at which a lid's edge is seen from the eyeball's centre, at given x."""
    return np.interp(x, edge[:, 0], np.arctan2(edge[:, 1] - centre[1], edge[:, 2] - centre[2]))
