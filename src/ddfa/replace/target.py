"""The target of a replacement: geometry, skin colour, visibility and occlusion of one face in one image."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.cast_light import cast_light
from ddfa.replace.appearance.colour import ColourBasis, brightness, contrast, log_colours
from ddfa.replace.face_region import FaceSurface
from ddfa.replace.occlusion.glasses import glasses_of
from ddfa.replace.occlusion.matte import occlusion_matte
from ddfa.replace.occlusion.network import SIDE, predict_occlusion
from ddfa.replace.roi_canvas import RoiCanvas
from ddfa.replace.temporal import TemporalState

_SPOT: Final = 0.012  # fraction of the face's height: blur before colours are sampled
_FINE: Final = 0.004  # the same where detail is wanted
_COLOUR_SHARE, _MASK_SHARE = 0.12, 0.3  # weight of one frame: means over a third and a tenth of a second
_GLASSES_EVERY, _GLASSES_SHARE = 10, 0.3  # glasses change rarely
_OCCLUSION_EVERY: Final = 2  # the network runs in one frame in so many
_RANGE: Final = (1, 99)  # percentiles of the smooth colour of visible skin
_FEW: Final = 50  # fewer vertices of visible skin give no range
_MIDDLE_MM: Final = 15.0  # half the width of the middle of the face, which belongs to neither side
_DEPTH: Final = 0.02  # fraction of the face's height: depth tolerance of the visibility test


@dataclass(eq=False)
class TargetFace:
    """One face of an image.

    Attributes:
        surface: the face of the head model.
        colour_basis: smooth functions over it.
        canvas: the region of the image around the face.
        image: (h, w, 3) uint8 RGB, this region at canvas resolution.
        shape: (K, 3) float32, the surface in canvas px.
        memory: state of the face over the previous frames; empty for a photo.
        use_network: whether occlusion is predicted by the network in addition to skin colour.
    """

    surface: FaceSurface
    colour_basis: ColourBasis
    canvas: RoiCanvas
    image: UInt8
    shape: Float32
    memory: TemporalState = field(default_factory=TemporalState)
    use_network: bool = True

    @staticmethod
    def of(
        surface: FaceSurface,
        colour_basis: ColourBasis,
        image: UInt8,
        face: Faces,
        limit: int,
        memory: TemporalState | None = None,
    ) -> "TargetFace":
        """Create the target from an image and a face.

        Args:
            surface: the face of the head model.
            colour_basis: smooth functions over it.
            image: (H, W, 3) uint8 RGB.
            face: one face of it.
            limit: longest side of the region, canvas px; larger faces are scaled down.
            memory: state of the same face over the previous frames.
        """
        shape = surface.project(face)[0]
        canvas = RoiCanvas.around(shape, limit)
        part = canvas.cut(image)
        return TargetFace(surface, colour_basis, canvas, part, canvas.points(shape), memory or TemporalState())

    @cached_property
    def size(self) -> float:
        """Height of the face, canvas px."""
        return float(np.hypot(*np.ptp(self.shape[:, :2], axis=0)) / np.sqrt(2))

    @cached_property
    def normals(self) -> Float32:
        """(K, 3) float32, unit normals in camera axes (y up)."""
        return self.surface.normals(self.shape)

    @cached_property
    def raster(self) -> Raster:
        """The front-facing triangles rasterised at canvas resolution."""
        return rasterize(self.shape, self.surface.triangles, *self.canvas.size, cull=True)

    @cached_property
    def visibility(self) -> Float32:
        """(K,) float32 in [0, 1], how well each vertex is seen, self-occlusion included, other occluders not."""
        front = sample(np.where(self.raster.mask, self.raster.depth, -np.inf), self.shape, nearest=True)[:, 0]
        x, y = self.shape[:, 0], self.shape[:, 1]
        height, width = self.canvas.size
        visible = (self.shape[:, 2] > front - _DEPTH * self.size) & (x >= 0) & (y >= 0) & (x < width) & (y < height)
        return np.asarray(np.clip(1.5 * self.normals[:, 2] - 0.2, 0, 1) * visible, np.float32)

    @cached_property
    def basis(self) -> Float32:
        """(K, N) float32, the functions of `colour_basis` at the vertices."""
        return self.colour_basis(self.normals)

    @cached_property
    def colours(self) -> Float32:
        """(K, 3) float32, logarithms of the colours at the vertices, blurred."""
        return self._at_vertices(_SPOT)

    @cached_property
    def fine_colours(self) -> Float32:
        """(K, 3) float32, the same with less blur."""
        return self._at_vertices(_FINE)

    @cached_property
    def contrast(self) -> Float32:
        """(2,) float32, deviation of brightness and hue of the skin from its smooth colour."""
        uneven = self.fine_colours - self.basis @ self.skin
        uneven = uneven - sample(self.cast_light, self.shape)
        spread = contrast(uneven, self.surface.plain * self.visible_skin)
        return self.memory("contrast", spread, _COLOUR_SHARE)

    @cached_property
    def with_glasses(self) -> bool:
        """Whether the person wears glasses."""
        if self.memory.due("glasses", _GLASSES_EVERY):
            worn = np.asarray(glasses_of(self.surface).worn(self.fine_colours, self.visibility), np.float32)
            self.memory("glasses", worn, _GLASSES_SHARE)
        return bool(self.memory.last("glasses") > 0.5)

    def _at_vertices(self, spot: float) -> Float32:
        soft = cv2.GaussianBlur(self.image, (0, 0), max(self.size * spot, 0.5))
        return log_colours(sample(soft, self.shape))

    @cached_property
    def skin(self) -> Float32:
        """(N, 3) float32, coefficients of the smooth skin colour."""
        skin = self.colour_basis.fit(self.basis, self.colours, self.surface.plain * self.visibility)
        return self.memory("skin", skin, _COLOUR_SHARE)

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
        return np.asarray(np.clip(lit, *self.memory("bounds", bounds, _COLOUR_SHARE)), np.float32)

    @cached_property
    def _expected(self) -> Float32:
        """(h, w, 5) float32: smooth skin colour, weight of features, area that glasses cover."""
        cover = glasses_of(self.surface).cover * self.with_glasses
        values = np.column_stack([self.basis @ self.skin, self.surface.feature_weight, cover])
        return interpolate(self.raster, self.surface.triangles, values)

    @cached_property
    def occluder(self) -> Float32:
        """(h, w) float32 in [0, 1], occlusion matte of the face, glasses included."""
        fields = self._expected
        mask = self.raster.mask.astype(np.float32)
        matte = occlusion_matte(self.image, fields[..., :3], mask, fields[..., 3], self._probability())
        return np.maximum(self.memory.mask("occluder", matte, _MASK_SHARE), fields[..., 4])

    def _probability(self) -> Float32:
        """Occlusion that the network predicts for this frame or, in a video, the previous one."""
        if not self.use_network:
            return np.zeros((1, 1), np.float32)
        if self.memory.due("occlusion", _OCCLUSION_EVERY):
            return self.memory("occlusion", predict_occlusion(self.image, self.code_map), 1.0)
        return self.memory.last("occlusion")

    @property
    def code_map(self) -> Float32:
        """(SIDE, SIDE, 4) float32, surface codes rasterised over the canvas; 0 outside the face."""
        rows, columns = (np.arange(SIDE) * size // SIDE for size in self.canvas.size)
        grid = np.ix_(rows, columns)
        coarse = Raster(self.raster.triangle[grid], self.raster.barycentric[grid], self.raster.depth[grid])
        return interpolate(coarse, self.surface.triangles, self.surface.codes)

    @cached_property
    def cast_light(self) -> Float32:
        """(h, w) float32, cast shadows and highlights of the skin, log units of brightness."""
        free = self.raster.mask * (1 - self._expected[..., 3]) * (1 - self.occluder)
        light = cast_light(self.image, self._expected[..., :3], np.asarray(free, np.float32))
        return self.memory.mask("cast light", light, _MASK_SHARE)

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
