"""One face in one image: its geometry, the colour of its skin, what of it is visible, and what is in front of it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.glasses import glasses_of
from ddfa.occlusion.matte import occlusion_matte
from ddfa.occlusion.network import SIDE, predict_occlusion
from ddfa.occlusion.roi_canvas import RoiCanvas
from ddfa.occlusion.skin_colour import ColourBasis, log_colours
from ddfa.occlusion.temporal import TemporalState
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.raster.sampling import sample

_SPOT: Final = 0.012  # fraction of the face's height: blur before colours are sampled
_FINE: Final = 0.004  # the same where detail is wanted
COLOUR_SHARE, MASK_SHARE = 0.12, 0.3  # weight of one frame: means over a third and a tenth of a second
_GLASSES_EVERY, _GLASSES_SHARE = 10, 0.3  # glasses change rarely
_OCCLUSION_EVERY: Final = 2  # the network runs in one frame in so many
_DEPTH: Final = 0.02  # fraction of the face's height: depth tolerance of the visibility test


@dataclass(eq=False)
class FaceView:
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

    @classmethod
    def of(
        cls,
        surface: FaceSurface,
        colour_basis: ColourBasis,
        image: UInt8,
        face: Faces,
        limit: int,
        memory: TemporalState | None = None,
    ) -> Self:
        """Create the view from an image and a face.

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
        return cls(surface, colour_basis, canvas, part, canvas.points(shape), memory or TemporalState())

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
        return self.memory("skin", skin, COLOUR_SHARE)

    @cached_property
    def expected(self) -> Float32:
        """(h, w, 5) float32: smooth skin colour, weight of features, area that glasses cover."""
        cover = glasses_of(self.surface).cover * self.with_glasses
        values = np.column_stack([self.basis @ self.skin, self.surface.feature_weight, cover])
        return interpolate(self.raster, self.surface.triangles, values)

    @cached_property
    def occluder(self) -> Float32:
        """(h, w) float32 in [0, 1], occlusion matte of the face, glasses included."""
        return np.maximum(self.memory.mask("occluder", self.matte(), MASK_SHARE), self.expected[..., 4])

    def matte(self, *, confirmed: bool = False) -> Float32:
        """(h, w) float32 in [0, 1], occlusion matte of this frame, in which glasses may lack; see `occlusion_matte`."""
        fields = self.expected
        mask = self.raster.mask.astype(np.float32)
        return occlusion_matte(
            self.image, fields[..., :3], mask, fields[..., 3], self._probability(), confirmed=confirmed
        )

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
