"""The arrays of a result: what the network has regressed, and what follows from it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.errors import ImageError, ModelError
from ddfa.face_model import FaceModel
from ddfa.geometry.perspective import Camera
from ddfa.geometry.pose import WeakPerspective, decompose, euler_from_matrix
from ddfa.geometry.rotation import quaternion_from_matrix, turn_nod_tilt_from_matrix, vector_from_matrix
from ddfa.head.landmark_sets import landmark_set
from ddfa.head.measure import HeadPose, head_poses, pupils
from ddfa.head.model import HeadModel
from ddfa.image_input import ImageSource
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout, ParamParts
from ddfa.regress.quality import QUALITY_SIZE, QualityEstimates, quality_estimates


@dataclass(frozen=True, eq=False)
class FaceArrays:
    """What was regressed for n faces, and everything computed from it, on first use and cached.

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
        source: where the pixels of the image are, for `image`; None if that is not known.

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
    source: ImageSource | None = None

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

    def __len__(self) -> int:
        return len(self.params)

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

    @property
    def image(self) -> UInt8:
        """(H, W, 3) uint8 RGB, the photo. A result holds no pixels: files are read again, arrays must still exist.

        Raises:
            ImageError: the pixels are gone, or the file has changed.
        """
        if self.source is None:
            raise ImageError("the pixels of this photo are not known to the result: pass them as `image`")
        image = self.source.read()
        if image.shape[1::-1] != self.image_size:
            raise ImageError(f"the photo has changed: its size is {image.shape[1::-1]}, not {self.image_size}")
        return image

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

    def landmarks(self, name: str = "ibug68") -> Float32:
        """Landmarks of a named set.

        Args:
            name: ibug68, ibug51 (without the jaw), five (centres of the eyes, tip of the nose, corners of the mouth),
                wflw98 or mesh478, see `ddfa.head.landmark_sets`.

        Returns:
            (n, K, 3) float32 image px.

        Raises:
            ModelError: there is no such set, or not on this head model.
        """
        return self.model.decode(landmark_set(self.head, name), self.params, self.roi)

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
