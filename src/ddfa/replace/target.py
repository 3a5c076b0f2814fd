"""The target of a replacement: geometry, skin colour, visibility, occlusion and light of one face in one image."""

from functools import cached_property
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.occlusion.face_view import COLOUR_SHARE, MASK_SHARE, FaceView
from ddfa.occlusion.skin_colour import brightness, contrast
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.cast_light import cast_light

_RANGE: Final = (1, 99)  # percentiles of the smooth colour of visible skin
_FEW: Final = 50  # fewer vertices of visible skin give no range
_MIDDLE_MM: Final = 15.0  # half the width of the middle of the face, which belongs to neither side


class TargetFace(FaceView):
    """One face of an image that is replaced; see `FaceView`."""

    @cached_property
    def contrast(self) -> Float32:
        """(2,) float32, deviation of brightness and hue of the skin from its smooth colour."""
        uneven = self.fine_colours - self.basis @ self.skin
        uneven = uneven - sample(self.cast_light, self.shape)
        spread = contrast(uneven, self.surface.plain * self.visible_skin)
        return self.memory("contrast", spread, COLOUR_SHARE)

    def lit(self, normals: Float32) -> Float32:
        """Smooth colour of the skin on a surface of another shape.

        Args:
            normals: (K, 3) float32 unit normals in camera axes (y up).

        Returns:
            (K, 3) float32, logarithms. The fit is not extrapolated to normals that no visible skin has, as those of
            nostrils: colours stay within those of the visible skin.
        """
        lit = self.colour_basis(normals) @ self.skin
        shown = (self.visible_skin > 0.5) & self.surface.plain
        if np.count_nonzero(shown) < _FEW:
            return np.asarray(lit, np.float32)
        bounds = np.percentile((self.basis @ self.skin)[shown], _RANGE, axis=0).astype(np.float32)
        return np.asarray(np.clip(lit, *self.memory("bounds", bounds, COLOUR_SHARE)), np.float32)

    @cached_property
    def cast_light(self) -> Float32:
        """(h, w) float32, cast shadows and highlights of the skin, log units of brightness."""
        free = self.raster.mask * (1 - self.expected[..., 3]) * (1 - self.occluder)
        light = cast_light(self.image, self.expected[..., :3], np.asarray(free, np.float32))
        return self.memory.mask("cast light", light, MASK_SHARE)

    @property
    def hardness(self) -> float:
        """How hard the light is, log units: what is not smooth, and a quarter of the difference between both sides."""
        weight = self.surface.plain * self.visible_skin
        uneven = np.clip(np.abs(brightness(self.colours - self.basis @ self.skin)), 0, 1)
        sides = [weight * (sign * self.surface.mm[:, 0] > _MIDDLE_MM) for sign in (-1, 1)]
        left, right = (float(side @ brightness(self.colours)) / max(float(side.sum()), 1e-6) for side in sides)
        return float(weight @ uneven) / max(float(weight.sum()), 1e-6) + 0.25 * abs(left - right)

    @cached_property
    def visible_skin(self) -> Float32:
        """(K,) float32 in [0, 1], how well each vertex is seen, with all occluders."""
        return self.visibility * (1 - sample(self.occluder, self.shape)[:, 0])

    @property
    def unoccluded(self) -> Float32:
        """(K,) float32 in [0, 1], 0 where an occluder hides the face; 1 where the face occludes itself."""
        # Next to a hat or hair the skin is in shadow or shows strands: widen the occluder.
        wide = cv2.dilate(self.occluder, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self._reach + 1,) * 2))
        soft = cv2.GaussianBlur(wide, (0, 0), 0.5 * self._reach)
        return np.asarray(np.where(self.visibility > 0.02, 1 - sample(soft, self.shape)[:, 0], 1), np.float32)

    @property
    def _reach(self) -> int:
        return max(1, round(0.025 * self.size))
