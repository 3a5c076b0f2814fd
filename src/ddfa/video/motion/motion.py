"""The motion of a face: what animation programs receive of each frame, independent of how it is sent or stored."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64
from ddfa.faces import Faces
from ddfa.geometry.rotation import turn_nod_tilt_from_matrix
from ddfa.video.io.source import Frame

_METRES: Final = 1e-3  # per mm, the unit of the open head
# How far the eyes of the open head rotate at weight 1, degrees: docs/head.md.
_EYE_OUT_DEG, _EYE_UP_DEG, _EYE_DOWN_DEG = 30.0, 20.0, 25.0


@dataclass(frozen=True, eq=False)
class Motion:
    """Expression and pose of a face in one frame.

    Convention:
        Axes are right-handed: x towards the left side of the person, y up, z out of the face. They are those of the
        camera, or, after calibration (`NeutralPose`), those of the head in its neutral pose.

    Attributes:
        time: of the frame, seconds.
        names: of the 52 ARKit blendshapes.
        weights: (52,) float32 in [0, 1], in the order of `names`.
        rotation: (3, 3) float64, from the head's axes.
        position: (3,) float64 of the head's origin, metres.
    """

    time: float
    names: tuple[str, ...]
    weights: Float32
    rotation: Float64
    position: Float64

    def weight(self, name: str) -> float:
        """The weight of a blendshape, by its ARKit name."""
        return float(self.weights[self.names.index(name)])

    @property
    def head_deg(self) -> Float64:
        """(3,) float64 turn, nod and tilt of the head in degrees, see `ddfa.geometry.rotation`."""
        return turn_nod_tilt_from_matrix(self.rotation)

    @property
    def eyes_deg(self) -> Float64:
        """(2, 2) float64: turn and nod of the left and the right eye relative to the head, degrees.

        Signs are those of `head_deg`: positive towards the right side of the person, and up. The angles are those by
        which the blendshapes ``eyeLook*`` rotate the eyes of the open head.
        """
        pairs = (("Out", "In"), ("In", "Out"))  # towards the person's left, right
        angles = [
            (
                _EYE_OUT_DEG * (self.weight(f"eyeLook{right}{side}") - self.weight(f"eyeLook{left}{side}")),
                _EYE_UP_DEG * self.weight(f"eyeLookUp{side}") - _EYE_DOWN_DEG * self.weight(f"eyeLookDown{side}"),
            )
            for side, (left, right) in zip(("Left", "Right"), pairs, strict=True)
        ]
        return np.array(angles)


def pascal_case(name: str) -> str:
    """`jawOpen` as `JawOpen`: receivers of VMC and Live Link Face write the names of ARKit like this."""
    return name[0].upper() + name[1:]


def motion_of(frame: Frame, face: Faces) -> Motion:
    """Read the motion of a face in camera axes.

    Positions are those in front of the camera if it is known. Otherwise they are weak-perspective: sideways and up from
    the centre of the image, at the scale of this frame; z, the distance, is 0.

    Args:
        frame: the frame.
        face: a result with one face, whose head has ARKit blendshapes.
    """
    if face.camera is not None:
        rotation, position = face.perspective.rotation[0], face.perspective.translation_mm[0]
    else:
        centre = np.array(face.image_size) / 2
        x, y = (face.translation[0, :2] - centre) / face.scale[0]
        rotation, position = face.rotation[0], np.array([x, -y, 0.0])
    return Motion(
        frame.time,
        face.head.expression_names,
        face.blendshapes[0],
        np.asarray(rotation, np.float64),
        np.asarray(position, np.float64) * _METRES,
    )
