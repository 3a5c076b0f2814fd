"""The result of alignment: the faces of one image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.errors import ModelError
from ddfa.geometry.perspective import Camera
from ddfa.geometry.pose import WeakPerspective, compose, decompose, euler_from_matrix
from ddfa.geometry.rotation import quaternion_from_matrix, turn_nod_tilt_from_matrix, vector_from_matrix
from ddfa.head.linear import LinearPoints
from ddfa.head.measure import HeadPose, head_poses, pose_points, pupils
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout, ParamParts
from ddfa.regress.quality import QUALITY_SIZE, QualityEstimates, quality_estimates

_STORED: Final = ("boxes", "scores", "params", "roi", "quality_output")
# Derived arrays, or tuples of arrays, whose first axis is the face: a slice of a result takes over their rows.
_DERIVED: Final = (
    "_parts", "_camera", "landmarks68", "vertices", "neutral_vertices", "rotation", "euler_deg", "scale", "translation",
    "blendshapes", "perspective",
)  # fmt: skip
# Those that do not depend on the expression.
_WITHOUT_EXPRESSION: Final = ("_camera", "neutral_vertices", "rotation", "euler_deg", "scale", "translation")
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class FaceModel:
    """The model that parameters belong to.

    Attributes:
        head: the head model.
        layout: which parameters are pose, identity and expression.
        convention: how crop pixels map to image pixels.
        crop_size: side of the network's input in px.
    """

    head: HeadModel
    layout: ParamLayout
    convention: PixelConvention
    crop_size: int = 120

    @staticmethod
    def of(bundle: Bundle, head: HeadModel | None = None) -> "FaceModel":
        """Read the face model of a bundle.

        Args:
            bundle: the bundle.
            head: its head model if it is already loaded; None loads it.

        Raises:
            ModelError: the head model cannot be loaded.
        """
        head = HeadModel.load(bundle.head_path) if head is None else head
        return FaceModel(head, bundle.layout, bundle.convention, bundle.input_size)

    @cached_property
    def pose_points(self) -> LinearPoints:
        """The points whose projection determines the pose in front of a camera."""
        return pose_points(self.head)

    def decode(self, points: LinearPoints, params: Float32, roi: Floats) -> Float32:
        """Evaluate points of the head and project them into the image.

        Args:
            points: K points of the head.
            params: (n, P) de-whitened parameters.
            roi: (n, 4) crop squares in image px.

        Returns:
            (n, K, 3) float32 image px.
        """
        parts = self.layout.split(params)
        decoded = points.decode(parts.identity, parts.expression)
        return self.convention.place(decoded, parts.pose, roi, self.crop_size)


@dataclass(frozen=True, eq=False)
class Faces:
    """The n faces of one image. Everything else is computed from these arrays on first use and cached.

    Convention:
        Image space: x right, y down, z towards the viewer, all in pixels (weak perspective); pixel centres
        are at integers. Rotations map head space to camera axes with y up.

    Attributes:
        boxes: (n, 4) float32, x0, y0, x1, y1 image px.
        scores: (n,) float32, detector confidence; 1 for boxes passed by the caller.
        params: (n, P) float32, de-whitened parameters.
        roi: (n, 4) float32, the crop square in image px.
        model: head model, parameter layout, pixel convention and crop size.
        image_size: (width, height) in px.
        camera: the camera of the image, for `perspective`; None if unknown.
        quality_output: (n, 137) float32 of the quality head, see `ddfa.regress.quality`; None for bundles without one.

    Raises:
        ModelError: the shapes of the arrays do not fit together.
    """

    boxes: Float32
    scores: Float32
    params: Float32
    roi: Float32
    model: FaceModel
    image_size: tuple[int, int]
    camera: Camera | None = None
    quality_output: Float32 | None = None

    def __post_init__(self) -> None:
        n = len(self.params)
        shapes = {
            "boxes": (n, 4),
            "scores": (n,),
            "params": (n, self.layout.size),
            "roi": (n, 4),
            "quality_output": (n, QUALITY_SIZE),
        }
        for name, shape in shapes.items():
            if getattr(self, name) is None:
                continue
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
        """Select faces by number, slice, indices or mask; a number selects a result with one face.

        Values that are already computed are taken over. The same number returns the same object each time, so that
        values derived from it later are computed only once as well.
        """
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"face {index} of {len(self)}")
            if len(self) == 1:
                return self
            number = int(index) % len(self)
            rows = slice(number, number + 1)
            if number not in self._views:
                self._views[number] = self._select(rows)
            view = self._views[number]
            for name in self.__dict__.keys() & set(_DERIVED) - view.__dict__.keys():  # computed since the last call
                view.__dict__[name] = _taken(self.__dict__[name], rows)
            return view
        return self._select(index)

    def _select(self, index: "slice | np.typing.NDArray[np.intp] | np.typing.NDArray[np.bool_]") -> "Faces":
        stored = {name: _taken(getattr(self, name), index) for name in _STORED}
        selected = replace(self, **stored)
        derived = self.__dict__.keys() & set(_DERIVED)
        selected.__dict__.update({name: _taken(self.__dict__[name], index) for name in derived})
        return selected

    def __iter__(self) -> Iterator["Faces"]:
        return (self[i] for i in range(len(self)))

    @staticmethod
    def concat(parts: "Sequence[Faces]") -> "Faces":
        """Join results for one image, for instance from several detectors.

        Args:
            parts: at least one result, all with the same model and image size.

        Returns:
            The faces of all parts, in order; values that are computed in every part are taken over.

        Raises:
            ModelError: there are no parts, or their models or image sizes differ.
        """
        if not parts:
            raise ModelError("faces: nothing to join, pass at least one result")
        first = parts[0]
        if any(part.model is not first.model or part.image_size != first.image_size for part in parts):
            raise ModelError("faces: only results of one model and one image can be joined")
        stored: dict[str, Any] = {name: _joined([getattr(part, name) for part in parts]) for name in _STORED}
        joined = replace(first, **stored)
        for name in _DERIVED:
            if all(name in part.__dict__ for part in parts):
                joined.__dict__[name] = _joined([part.__dict__[name] for part in parts])
        return joined

    def remember(self, key: str, compute: Callable[[], _Value]) -> _Value:
        """Return a value that another module derives from these faces; it is computed on first use and cached.

        Args:
            key: name of the value, unique among all callers.
            compute: computes the value.

        Returns:
            The value.
        """
        if key not in self._remembered:
            self._remembered[key] = compute()
        value: _Value = self._remembered[key]
        return value

    @cached_property
    def _views(self) -> "dict[int, Faces]":
        return {}

    @cached_property
    def _remembered(self) -> dict[str, Any]:
        return {}

    @property
    def head(self) -> HeadModel:
        """The head model."""
        return self.model.head

    @property
    def layout(self) -> ParamLayout:
        """The layout of `params`."""
        return self.model.layout

    @property
    def convention(self) -> PixelConvention:
        """The pixel convention of the network's crop."""
        return self.model.convention

    @property
    def crop_size(self) -> int:
        """The side of the network's crop in px."""
        return self.model.crop_size

    def without(self, *, pose: bool = False, expression: bool = False) -> "Faces":
        """Remove head pose, expression or both from the faces.

        Args:
            pose: make the faces frontal at the same scale; the mean of their landmarks does not move.
            expression: set all expression coefficients to 0.

        Returns:
            Faces with the same boxes and RoIs; `self` if nothing is removed.
        """
        if not (pose or expression):
            return self
        parts = self._parts
        coefficients = np.zeros_like(parts.expression) if expression else parts.expression
        camera: Floats = parts.pose
        if pose:
            # The origin of the head is inside the skull: frontalising about it would move the face in the image.
            centre = self.head.landmark_points.decode(parts.identity, coefficients).mean(axis=1)
            scale = self._camera.scale
            position = np.einsum("nij,nj->ni", camera[..., :3], centre) + camera[..., 3]
            frontal = np.broadcast_to(np.eye(3), (len(self), 3, 3))
            camera = compose(scale, frontal, position - scale[:, None] * centre)
        return replace(self, params=self.layout.join(camera, parts.identity, coefficients))

    def with_expression(self, expression: Floats) -> "Faces":
        """The same faces with other expression coefficients (n, E)."""
        parts = self._parts
        changed = replace(self, params=self.layout.join(parts.pose, parts.identity, expression))
        kept = self.__dict__.keys() & set(_WITHOUT_EXPRESSION)
        changed.__dict__.update({name: self.__dict__[name] for name in kept})
        return changed

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
        return self.model.decode(self.head.landmark_points, self.params, self.roi)

    @cached_property
    def vertices(self) -> Float32:
        """(n, V, 3) float32 vertices of the head model, image px."""
        return self.model.decode(self.head.points, self.params, self.roi)

    @cached_property
    def neutral_vertices(self) -> Float32:
        """(n, V, 3) float32 vertices in head space, head units: the identity of the face, without expression."""
        return self.head.decode(self.identity, np.zeros((len(self), 0)))

    @cached_property
    def rotation(self) -> Float32:
        """(n, 3, 3) float32 rotations from head space to the camera (y up), orthogonal with determinant +1."""
        return self._camera.rotation.astype(np.float32)

    @cached_property
    def euler_deg(self) -> Float32:
        """(n, 3) float32 yaw, pitch, roll in degrees, 300W-LP convention (see `ddfa.geometry.pose`)."""
        return euler_from_matrix(self._camera.rotation).astype(np.float32)

    @property
    def turn_nod_tilt_deg(self) -> Float32:
        """(n, 3) float32 turn, nod, tilt in degrees: readable for profiles too (see `ddfa.geometry.rotation`)."""
        return turn_nod_tilt_from_matrix(self._camera.rotation).astype(np.float32)

    @property
    def rotation_vector(self) -> Float32:
        """(n, 3) float32 axis times angle of `rotation`, radians."""
        return vector_from_matrix(self._camera.rotation).astype(np.float32)

    @property
    def quaternion(self) -> Float32:
        """(n, 4) float32 unit quaternion x, y, z, w of `rotation`, w >= 0."""
        return quaternion_from_matrix(self._camera.rotation).astype(np.float32)

    @cached_property
    def perspective(self) -> HeadPose:
        """The heads in front of the perspective camera of the image, in mm.

        The head of each face, scaled so that its pupils are `camera.ipd_mm` apart, is posed such that its dense mesh
        projects to where the network sees it.

        Raises:
            ModelError: the camera is not known.
            ImageError: its intrinsics are for another image size.
        """
        if self.camera is None:
            raise ModelError("faces: the camera is not known: pass it to the aligner, FaceAligner(camera=...)")
        seen = self.model.decode(self.model.pose_points, self.params, self.roi)[..., :2]
        known = self.model.pose_points.decode(self.identity, self.expression)
        return head_poses(known, seen, pupils(self.head, self.identity), self.camera, self.image_size)

    @cached_property
    def scale(self) -> Float32:
        """(n,) float32 image px per head unit."""
        pixels: Float64 = (self.roi[:, 2] - self.roi[:, 0]) / self.crop_size * self._camera.scale
        return pixels.astype(np.float32)

    @cached_property
    def translation(self) -> Float32:
        """(n, 3) float32 image position of the origin of head space, px; its z is arbitrary (weak perspective)."""
        origin = self._camera.translation[:, None]
        return self.convention.to_image(origin, self.roi, self.crop_size, floor_z=False)[:, 0]

    @cached_property
    def blendshapes(self) -> Float32:
        """(n, 52) float32 ARKit blendshape weights in Apple's order (`head.expression_names`), in [0, 1].

        Raises:
            ModelError: the head model has no ARKit blendshapes.
        """
        self.head.require_arkit("blendshapes")
        return np.clip(self.expression, 0.0, 1.0)

    @property
    def quality(self) -> Float32 | None:
        """(n,) float32 in [0, 1], estimated probability of a face with accurate landmarks; None without a quality head.

        Landmarks are accurate if their mean error is below 5 % of the face size.
        """
        return None if self._estimates is None else self._estimates.quality

    @property
    def landmark_std(self) -> Float32 | None:
        """(n, 68) float32 image px, estimated standard deviation of each landmark along x or y; None as above."""
        return None if self._estimates is None else self._estimates.landmark_std

    @property
    def landmark_occlusion(self) -> Float32 | None:
        """(n, 68) float32 in [0, 1], estimated probability that a landmark is hidden; None without a quality head.

        It may be hidden by the head itself or by something in front of it.
        """
        return None if self._estimates is None else self._estimates.landmark_occlusion

    @cached_property
    def _estimates(self) -> QualityEstimates | None:
        return None if self.quality_output is None else quality_estimates(self.quality_output, self.roi)


def _taken(value: Any, index: Any) -> Any:
    """Index an array, or each array of a named tuple; None stays None."""
    if value is None:
        return None
    return type(value)(*(field[index] for field in value)) if isinstance(value, tuple) else value[index]


def _joined(values: list[Any]) -> Any:
    """Concatenate arrays, or named tuples of arrays field by field; None if a part has none."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], tuple):
        return type(values[0])(*(np.concatenate(fields) for fields in zip(*values, strict=True)))
    return np.concatenate(values)
