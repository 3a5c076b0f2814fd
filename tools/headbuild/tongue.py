"""The tongue stuck out: the resting tongue bent along a line between the teeth and over the lower lip, and stretched.

MakeHuman's own unit moves a short, square-cut tongue by 27 mm, which ends just in front of the lips.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

from .control import PARTS, Control
from .source import Floats, Ints

# The jaw opening for which the line is designed: a unit is added to an open jaw, which moves the tongue as well.
JAW_OPEN = 0.35
# Middle line in the median plane, (z, y) in mm, from the root to the tip: of the resting tongue on closed jaws, and of
# the tongue stuck out on jaws open by JAW_OPEN.  The latter passes the teeth (gap from y = -47 to -54 at z = 79) and
# the lips (-44 to -57 at z = 93) in the middle.  Displacements are linear in the coefficient, so the tip cannot first
# come out and then turn down: a lower tip would pass through the lip on its way.
REST = np.array(
    [(14, -52.0), (28, -51.5), (36, -45.2), (42, -43.8), (53, -41.6), (60, -41.1), (65, -41.7), (70, -42.8),
     (73.5, -43.9), (76.5, -45.2), (79, -46.6), (82, -48.2)]
)  # fmt: skip
OUT = np.array([(14, -53.5), (27, -53.0), (35, -48.5), (57, -46.4), (70, -47.6), (79, -49.3), (91, -52.0), (98, -55.2),
                (105, -60.4), (110, -67.0)])  # fmt: skip
# Half the width and half the height along the resting tongue, at z; the mesh is cut off square at the tip.
WIDTH_Z = (14, 40, 53, 58, 64, 70, 75, 76.5, 78, 79, 80.5, 82)
WIDTH = (20.8, 20.8, 18.9, 18.1, 15.8, 15.2, 14.3, 12.9, 11.3, 10.2, 9.1, 8.0)
HEIGHT_Z, HEIGHT = (14, 41, 53, 60, 65, 70, 82), (9.5, 9.2, 5.6, 4.5, 3.7, 3.2, 3.1)
# Half the width and half the height of the tongue stuck out, and how far its sides curl up, at z along OUT: the lower
# lip rises by 4 mm from its middle to where the sides of the tongue pass it.
OUT_Z, OUT_WIDTH = (30, 57, 79, 91, 102, 110), (20, 18, 14.5, 13.2, 13.8, 12.5)
OUT_HEIGHT, OUT_CURL = (9.3, 5.5, 2.8, 2.8, 3, 2.2), (0, 0, 3, 4.8, 2, 0.5)
STRETCH_POWER = 1.6  # the front stretches more than the root, which is attached
TIP_MM, TIP_ROUND, TIP_REACH_MM = 13.0, 0.88, 26.0  # how far the sides of the tip are drawn back, and over which length
LINE_STEPS = 400


def stuck_out(control: Control, mean: Floats, jaw: Floats) -> Floats:
    """Displacement of the control points at `tongueOut` = 1.

    Args:
        control: the control mesh.
        mean: (C, 3) mean control points, mm.
        jaw: (C, 3) displacement of `jawOpen`, mm.

    Returns:
        (C, 3) mm, 0 but for the tongue, left-right symmetric.
    """
    tongue = np.unique(control.triangles[control.parts == PARTS.index("tongue")])
    points = mean[tongue]
    field = np.zeros_like(mean)
    field[tongue] = _bent(points) - (points + JAW_OPEN * jaw[tongue])
    return 0.5 * (field + field[control.mirror] * np.array([-1.0, 1.0, 1.0]))


def _bent(points: Floats) -> Floats:
    """Points (K, 3) of the resting tongue, moved to the tongue stuck out."""
    rest, out = _Line(REST), _Line(OUT)
    along, height = rest.locate(points[:, 2:0:-1])
    z = rest.at(along)[:, 0]
    across = points[:, 0] / np.interp(z, WIDTH_Z, WIDTH)
    share = along / rest.length
    moved = along + (out.length - rest.length) * share**STRETCH_POWER
    # An elliptical outline in place of the square tip.
    near = np.clip((along - rest.length) / TIP_REACH_MM + 1, 0, 1)
    moved -= TIP_MM * near**2 * (1 - np.sqrt(1 - TIP_ROUND * np.clip(across**2, 0, 1)))
    out_z = out.at(moved)[:, 0]
    height = height * np.interp(out_z, OUT_Z, OUT_HEIGHT) / np.interp(z, HEIGHT_Z, HEIGHT)
    height += np.interp(out_z, OUT_Z, OUT_CURL) * across**2
    zy = out.at(moved) + height[:, None] * out.normal(moved)
    return np.column_stack([across * np.interp(out_z, OUT_Z, OUT_WIDTH), zy[:, 1], zy[:, 0]])


class _Line:
    """A smooth line in the median plane, by arc length.

    Args:
        knots: (K, 2), (z, y) in mm; z increases.
    """

    def __init__(self, knots: Floats) -> None:
        z = np.linspace(knots[0, 0], knots[-1, 0], LINE_STEPS)
        self._points = np.column_stack([z, PchipInterpolator(knots[:, 0], knots[:, 1])(z)])
        steps = np.linalg.norm(np.diff(self._points, axis=0), axis=1)
        self._arc = np.concatenate([[0.0], np.cumsum(steps)])
        self.length = float(self._arc[-1])
        slopes = np.gradient(self._points, self._arc, axis=0)
        self._tangent = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)

    def at(self, arc: Floats) -> Floats:
        """Points (K, 2) at arc lengths (K,); straight beyond the ends."""
        inside = np.clip(arc, 0, self.length)
        return self._read(self._points, inside) + (arc - inside)[:, None] * self._read(self._tangent, inside)

    def normal(self, arc: Floats) -> Floats:
        """Unit normals (K, 2), upwards where the line runs forwards."""
        return self._read(self._tangent, np.clip(arc, 0, self.length))[:, ::-1] * np.array([-1.0, 1.0])

    def locate(self, points: Floats) -> tuple[Floats, Floats]:
        """Arc length (K,) of the nearest point of the line, and height (K,) above the line, of points (K, 2)."""
        nearest: Ints = np.linalg.norm(points[:, None] - self._points, axis=2).argmin(axis=1)
        offset = points - self._points[nearest]
        tangent = self._tangent[nearest]
        along = self._arc[nearest] + (offset * tangent).sum(axis=1)
        return along, offset[:, 1] * tangent[:, 0] - offset[:, 0] * tangent[:, 1]

    def _read(self, values: Floats, arc: Floats) -> Floats:
        return np.stack([np.interp(arc, self._arc, column) for column in values.T], axis=1)
