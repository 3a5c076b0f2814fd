"""One face of a result, with arrays that have no axis of the faces."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ddfa
from ddfa.arrays import Float32
from ddfa.face_output import FaceOutput
from ddfa.head.measure import HeadPose
from ddfa.head.model import HeadModel

if TYPE_CHECKING:
    from ddfa.faces import Faces


@dataclass(frozen=True, eq=False, repr=False)
class Face(FaceOutput):
    """One face: what `Faces` holds for it. Values are computed for all faces of the image together, on first use.

    Attributes:
        all: the result that it is part of.
        index: its number in that result.
    """

    all: "Faces"
    index: int

    def __repr__(self) -> str:
        return f"Face({self.index} of {self.all!r})"

    @property
    def _shown(self) -> "Faces":
        return self.faces

    def to_dict(self) -> dict[str, Any]:
        """The JSON record of the face (docs/outputs.md) as plain numbers, strings, lists and dictionaries."""
        return ddfa.face_record(self.all, self.index)

    @property
    def faces(self) -> "Faces":
        """A result with this one face, for functions that take `Faces`."""
        return self.all.single(self.index)

    @property
    def head(self) -> HeadModel:
        """The head model."""
        return self.all.head

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) of the image in px."""
        return self.all.image_size

    @property
    def box(self) -> Float32:
        """(4,) float32, x0, y0, x1, y1 image px."""
        return self._of(self.all.boxes)

    @property
    def score(self) -> float:
        """Confidence of the detector; 1 for a box passed by the caller."""
        return float(self.all.scores[self.index])

    @property
    def roi(self) -> Float32:
        """(4,) float32, the crop square in image px."""
        return self._of(self.all.roi)

    @property
    def params(self) -> Float32:
        """(P,) float32, de-whitened parameters."""
        return self._of(self.all.params)

    @property
    def identity(self) -> Float32:
        """(I,) float32 identity coefficients of the head model."""
        return self._of(self.all.identity)

    @property
    def expression(self) -> Float32:
        """(E,) float32 expression coefficients of the head model, as regressed."""
        return self._of(self.all.expression)

    @property
    def landmarks68(self) -> Float32:
        """(68, 3) float32 landmarks in iBUG-68 order, image px."""
        return self._of(self.all.landmarks68)

    def landmarks(self, name: str = "ibug68") -> Float32:
        """Landmarks of a named set, (K, 3) float32 image px, see `Faces.landmarks`.

        Raises:
            ModelError: there is no such set, or not on this head model.
        """
        return self._of(self.all.landmarks(name))

    @property
    def vertices(self) -> Float32:
        """(V, 3) float32 vertices of the head model, image px."""
        return self._of(self.all.vertices)

    @property
    def neutral_vertices(self) -> Float32:
        """(V, 3) float32 vertices in head space, head units: the identity of the face, without expression."""
        return self._of(self.all.neutral_vertices)

    @property
    def rotation(self) -> Float32:
        """(3, 3) float32 rotation from head space to the camera (y up), orthogonal with determinant +1."""
        return self._of(self.all.rotation)

    @property
    def euler_deg(self) -> Float32:
        """(3,) float32 yaw, pitch, roll in degrees, 300W-LP convention."""
        return self._of(self.all.euler_deg)

    @property
    def turn_nod_tilt_deg(self) -> Float32:
        """(3,) float32 turn, nod, tilt in degrees: readable for profiles too."""
        return self._of(self.all.turn_nod_tilt_deg)

    @property
    def rotation_vector(self) -> Float32:
        """(3,) float32 axis times angle of `rotation`, radians."""
        return self._of(self.all.rotation_vector)

    @property
    def quaternion(self) -> Float32:
        """(4,) float32 unit quaternion x, y, z, w of `rotation`, w >= 0."""
        return self._of(self.all.quaternion)

    @property
    def perspective(self) -> HeadPose:
        """The head in front of the perspective camera, in mm: `HeadPose` without the axis of the faces.

        Raises:
            ModelError: the camera is not known.
            ImageError: its intrinsics are for another image size.
        """
        return HeadPose(*(self._of(field) for field in self.all.perspective))

    @property
    def scale(self) -> float:
        """Image px per head unit."""
        return float(self.all.scale[self.index])

    @property
    def translation(self) -> Float32:
        """(3,) float32 image position of the origin of head space, px; its z is arbitrary."""
        return self._of(self.all.translation)

    @property
    def blendshapes(self) -> Float32:
        """(52,) float32 ARKit blendshape weights in Apple's order, in [0, 1].

        Raises:
            ModelError: the head model has no ARKit blendshapes.
        """
        return self._of(self.all.blendshapes)

    @property
    def blendshapes_by_name(self) -> dict[str, float]:
        """The 52 weights by ARKit name, "browDownLeft" to "tongueOut".

        Raises:
            ModelError: the head model has no ARKit blendshapes.
        """
        return dict(zip(self.head.expression_names, self.blendshapes.tolist(), strict=True))

    @property
    def quality(self) -> float | None:
        """Estimated probability of a face with accurate landmarks, in [0, 1]; None without a quality head."""
        return None if self.all.quality is None else float(self.all.quality[self.index])

    @property
    def landmark_std(self) -> Float32 | None:
        """(68,) float32 image px, estimated standard deviation of each landmark along x or y; None as above."""
        return None if self.all.landmark_std is None else self._of(self.all.landmark_std)

    @property
    def landmark_occlusion(self) -> Float32 | None:
        """(68,) float32 in [0, 1], estimated probability that a landmark is hidden; None without a quality head."""
        return None if self.all.landmark_occlusion is None else self._of(self.all.landmark_occlusion)

    def _of(self, values: Float32) -> Float32:
        row: Float32 = values[self.index]
        return row
