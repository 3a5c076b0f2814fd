"""A face as a picture shows it: where its surface lies, how its skin is lit, and what lies before it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.colour import ToneBasis, contrast, log_colours
from ddfa.replace.face_region import FaceSurface
from ddfa.replace.occlusion.glasses import glasses_of
from ddfa.replace.occlusion.matte import occlusion_matte
from ddfa.replace.occlusion.network import SIDE, predict_occlusion
from ddfa.replace.roi_canvas import RoiCanvas
from ddfa.replace.temporal import TemporalState

_FINE: Final = 0.004  # of the face's height, as much for details
_SPOT: Final = 0.012  # of the face's height: what counts as the colour of a place
_TONE_SHARE, _MASK_SHARE = 0.12, 0.3  # of one frame in what is remembered: a third of a second, a tenth
_GLASSES_EVERY, _GLASSES_SHARE = 10, 0.3  # nobody puts them on and off in a moment
_OCCLUSION_EVERY: Final = 2  # frames after which the network is asked again
_DEPTH: Final = 0.02  # of the face's height: as far behind what is in front a vertex is still seen


@dataclass(eq=False)
class TargetFace:
    """One face of an image.

    Attributes:
        surface: the face of the head model.
        tone: smooth functions over it.
        canvas: the part of the image that is looked at.
        picture: (h, w, 3) uint8, this part.
        shape: (K, 3) float32, the surface in canvas px.
        memory: of the frames before; empty for a photo.
        learned: whether the network that finds hands is asked, besides colours.
    """

    surface: FaceSurface
    tone: ToneBasis
    canvas: RoiCanvas
    picture: UInt8
    shape: Float32
    memory: TemporalState = field(default_factory=TemporalState)
    learned: bool = True

    @staticmethod
    def of(
        surface: FaceSurface,
        tone: ToneBasis,
        image: UInt8,
        face: Faces,
        limit: int,
        memory: TemporalState | None = None,
    ) -> "TargetFace":
        """Look at a face.

        Args:
            surface: the face of the head model.
            tone: smooth functions over it.
            image: (H, W, 3) uint8 RGB.
            face: one face of it.
            limit: longest side of the part that is looked at, canvas px.
            memory: of the same face in the frames before.
        """
        shape = surface.project(face)[0]
        canvas = RoiCanvas.around(shape, limit)
        return TargetFace(surface, tone, canvas, canvas.cut(image), canvas.points(shape), memory or TemporalState())

    @cached_property
    def size(self) -> float:
        """Height of the face, canvas px."""
        return float(np.hypot(*np.ptp(self.shape[:, :2], axis=0)) / np.sqrt(2))

    @cached_property
    def normals(self) -> Float32:
        """(K, 3) float32 in camera axes."""
        return self.surface.normals(self.shape)

    @cached_property
    def raster(self) -> Raster:
        """Which of the triangles that face the viewer each pixel shows."""
        return rasterize(self.shape, self.surface.triangles, *self.canvas.size, cull=True)

    @cached_property
    def seen(self) -> Float32:
        """(K,) float32 in [0, 1], how well each vertex is seen if nothing lies before the face."""
        front = sample(np.where(self.raster.mask, self.raster.depth, -np.inf), self.shape, nearest=True)[:, 0]
        x, y = self.shape[:, 0], self.shape[:, 1]
        height, width = self.canvas.size
        visible = (self.shape[:, 2] > front - _DEPTH * self.size) & (x >= 0) & (y >= 0) & (x < width) & (y < height)
        return np.asarray(np.clip(1.5 * self.normals[:, 2] - 0.2, 0, 1) * visible, np.float32)

    @cached_property
    def basis(self) -> Float32:
        """(K, N) float32, the smooth functions."""
        return self.tone(self.normals)

    @cached_property
    def colours(self) -> Float32:
        """(K, 3) float32, logarithms of the colours seen."""
        return self._at_vertices(_SPOT)

    @cached_property
    def fine_colours(self) -> Float32:
        """(K, 3) float32, the same with detail."""
        return self._at_vertices(_FINE)

    @cached_property
    def contrast(self) -> Float32:
        """(2,) float32, spread of brightness and hue of the skin."""
        spread = contrast(self.fine_colours - self.basis @ self.skin, self.surface.plain * self.clear)
        return self.memory("contrast", spread, _TONE_SHARE)

    @cached_property
    def with_glasses(self) -> bool:
        """Whether the person wears glasses."""
        if self.memory.due("glasses", _GLASSES_EVERY):
            worn = np.asarray(glasses_of(self.surface).worn(self.fine_colours, self.seen), np.float32)
            self.memory("glasses", worn, _GLASSES_SHARE)
        return bool(self.memory.last("glasses") > 0.5)

    def _at_vertices(self, spot: float) -> Float32:
        soft = cv2.GaussianBlur(self.picture, (0, 0), max(self.size * spot, 0.5))
        return log_colours(sample(soft, self.shape))

    @cached_property
    def skin(self) -> Float32:
        """(N, 3) float32, coefficients of the colours of bare skin."""
        skin = self.tone.fit(self.basis, self.colours, self.surface.plain * self.seen)
        return self.memory("skin", skin, _TONE_SHARE)

    @cached_property
    def occluder(self) -> Float32:
        """(h, w) float32 in [0, 1], where something lies before the face."""
        cover = glasses_of(self.surface).cover * self.with_glasses
        values = np.column_stack([self.basis @ self.skin, self.surface.guarded, cover])
        fields = interpolate(self.raster, self.surface.triangles, values)
        mask = self.raster.mask.astype(np.float32)
        found = occlusion_matte(self.picture, fields[..., :3], mask, fields[..., 3], self._likely())
        return np.maximum(self.memory.mask("occluder", found, _MASK_SHARE), fields[..., 4])

    def _likely(self) -> Float32:
        """What the network says, in a video of this frame or of the one before: see `predict_occlusion`."""
        if not self.learned:
            return np.zeros((1, 1), np.float32)
        if self.memory.due("covering", _OCCLUSION_EVERY):
            return self.memory("covering", predict_occlusion(self.picture, self.places), 1.0)
        return self.memory.last("covering")

    @property
    def places(self) -> Float32:
        """(SIDE, SIDE, 4) float32, which places of the face are seen where: the codes of the surface."""
        rows, columns = (np.arange(SIDE) * size // SIDE for size in self.canvas.size)
        seen = np.ix_(rows, columns)
        coarse = Raster(self.raster.triangle[seen], self.raster.barycentric[seen], self.raster.depth[seen])
        return interpolate(coarse, self.surface.triangles, self.surface.codes)

    @cached_property
    def clear(self) -> Float32:
        """(K,) float32 in [0, 1], how well the face is seen at each vertex."""
        return self.seen * (1 - sample(self.occluder, self.shape)[:, 0])

    @property
    def unoccluded(self) -> Float32:
        """(K,) float32 in [0, 1], 0 where something lies before the face; 1 where the face hides itself."""
        # What lies near the edge of a hat or of hair is in its shadow, or shows strands.
        wide = cv2.dilate(self.occluder, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self._reach + 1,) * 2))
        soft = cv2.GaussianBlur(wide, (0, 0), 0.5 * self._reach)
        return np.asarray(np.where(self.seen > 0.02, 1 - sample(soft, self.shape)[:, 0], 1), np.float32)

    @property
    def _reach(self) -> int:
        return max(1, round(0.025 * self.size))
