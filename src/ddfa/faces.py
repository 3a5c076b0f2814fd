"""The result of alignment: the faces of one image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.errors import ModelError
from ddfa.geometry.pose import WeakPerspective, compose, decompose, euler_from_matrix
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout, ParamParts

BLENDSHAPES = 52


@dataclass(frozen=True, eq=False)
class Faces:
    """The n faces of one image; everything else is computed from these arrays on first use.

    Convention:
        Image space: x right, y down, z towards the viewer, all in pixels (weak perspective); pixel centres
        are integers. Rotations map head space to a camera whose y points up.

    Attributes:
        boxes: (n, 4) float32, x0, y0, x1, y1 image px.
        scores: (n,) float32, detector confidence; 1 for boxes of your own.
        params: (n, P) float32, de-whitened parameters.
        roi: (n, 4) float32, the crop square in image px.
        head: the head model the parameters belong to.
        layout: what the parameters are.
        convention: how crop pixels map to image pixels.
        image_size: (width, height) in px.
        crop_size: side of the network's input in px.

    Raises:
        ModelError: arrays whose shapes do not fit together.
    """

    boxes: Float32
    scores: Float32
    params: Float32
    roi: Float32
    head: HeadModel
    layout: ParamLayout
    convention: PixelConvention
    image_size: tuple[int, int]
    crop_size: int = 120

    def __post_init__(self) -> None:
        n = len(self.params)
        shapes = {"boxes": (n, 4), "scores": (n,), "params": (n, self.layout.size), "roi": (n, 4)}
        for name, shape in shapes.items():
            array = np.asarray(getattr(self, name), np.float32)
            if array.shape != shape:
                raise ModelError(f"faces: {name} is {array.shape}, expected {shape}")
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        width, height = self.image_size
        return f"Faces({len(self)} in an image of {width} x {height} px, head model '{self.head.name}')"

    def __len__(self) -> int:
        return len(self.params)

    def __getitem__(self, index: "int | slice | np.typing.NDArray[np.intp] | np.typing.NDArray[np.bool_]") -> "Faces":
        """Select faces by number, slice, indices or mask; one number gives a result with one face."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"face {index} of {len(self)}")
            index = np.array([index])
        chosen = {name: getattr(self, name)[index] for name in ("boxes", "scores", "params", "roi")}
        return replace(self, **chosen)

    def __iter__(self) -> Iterator["Faces"]:
        return (self[i] for i in range(len(self)))

    def without(self, *, pose: bool = False, expression: bool = False) -> "Faces":
        """Take what is of the moment out of the faces: how they are turned, what they express, or both.

        Args:
            pose: look straight ahead, at the same scale; the mean of the landmarks stays in its place.
            expression: set all expression coefficients to 0.

        Returns:
            Faces of the same boxes and regions; these themselves where nothing is taken.
        """
        if not (pose or expression):
            return self
        parts = self._parts
        mimic = np.zeros_like(parts.expression) if expression else parts.expression
        camera: Floats = parts.pose
        if pose:
            centre = self.head.landmark_points.decode(parts.identity, mimic).mean(axis=1)
            scale = self._camera.scale
            place = np.einsum("nij,nj->ni", camera[..., :3], centre) + camera[..., 3]
            upright = np.broadcast_to(np.eye(3), (len(self), 3, 3))
            camera = compose(scale, upright, place - scale[:, None] * centre)
        return replace(self, params=self.layout.join(camera, parts.identity, mimic))

    @cached_property
    def _parts(self) -> ParamParts:
        return self.layout.split(self.params)

    @cached_property
    def _camera(self) -> WeakPerspective:
        return decompose(self._parts.pose)

    @property
    def identity(self) -> Float32:
        """(n, I) float32 identity coefficients of the head model."""
        return self._parts.identity

    @property
    def expression(self) -> Float32:
        """(n, E) float32 expression coefficients of the head model, as regressed."""
        return self._parts.expression

    @cached_property
    def landmarks68(self) -> Float32:
        """(n, 68, 3) float32 landmarks in iBUG-68 order, image px."""
        return self._project(self.head.landmark_points)

    @cached_property
    def vertices(self) -> Float32:
        """(n, V, 3) float32 vertices of the head model, image px."""
        return self._project(self.head.points)

    @cached_property
    def rotation(self) -> Float32:
        """(n, 3, 3) float32 true rotations from head space to the camera (y up)."""
        return self._camera.rotation.astype(np.float32)

    @cached_property
    def euler_deg(self) -> Float32:
        """(n, 3) float32 yaw, pitch, roll in degrees, 300W-LP convention (see `ddfa.geometry.pose`)."""
        return euler_from_matrix(self._camera.rotation).astype(np.float32)

    @cached_property
    def scale(self) -> Float32:
        """(n,) float32 image px per head unit."""
        pixels: Float64 = (self.roi[:, 2] - self.roi[:, 0]) / self.crop_size * self._camera.scale
        return pixels.astype(np.float32)

    @cached_property
    def translation(self) -> Float32:
        """(n, 3) float32 image position of the head's origin, px; its z is arbitrary (weak perspective)."""
        origin = self._camera.translation[:, None]
        return self.convention.to_image(origin, self.roi, self.crop_size, floor_z=False)[:, 0]

    @cached_property
    def blendshapes(self) -> Float32:
        """(n, 52) float32 ARKit face units in Apple's order (`head.expression_names`), in [0, 1].

        Raises:
            ModelError: the head model has no ARKit face units.
        """
        if len(self.head.expression_names) != BLENDSHAPES:
            raise ModelError(
                f"head model '{self.head.name}' has no ARKit blendshapes: use a bundle for the open head, "
                "or read `expression` for its own modes"
            )
        return np.clip(self.expression, 0.0, 1.0)

    def _project(self, points: LinearPoints) -> Float32:
        """Decode points and carry them through the camera into the image."""
        parts = self._parts
        decoded = points.decode(parts.identity, parts.expression)
        return self.convention.place(decoded, parts.pose, self.roi, self.crop_size)
