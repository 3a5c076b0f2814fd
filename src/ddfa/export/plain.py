"""A face as plain data: the fields of every output that describes a face, and the digits of their numbers.

`plain_face` serves four outputs, one format each: the JSON record (docs/outputs.md), the records of a video
(docs/video.md), the table of corpus mode (docs/batch.md) and the messages of the live channel (docs/serve.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from ddfa.faces import Faces
from ddfa.raster.visibility import landmark_visibility

Digits: TypeAlias = Callable[[Any], Any]
"""Turns an array, or a scalar, into the numbers that are written."""

_ANGLES: Final = {"euler_deg": ("yaw", "pitch", "roll"), "turn_nod_tilt_deg": ("turn", "nod", "tilt")}
_OF_CAMERA: Final = ("camera", "camera_rotation", "translation_mm", "distance_mm", "reprojection_error_px")


@dataclass(frozen=True)
class FaceFormat:
    """How a face is described.

    Attributes:
        fields: the fields in order, each with the digits of its numbers.
        flat: arrays as flat lists; otherwise nested lists, and objects for angles, parameters and blendshapes.
        planar: landmarks as x and y only.
        no_blendshapes: the field `blendshapes` for a head model without them.
    """

    fields: Mapping[str, Digits]
    flat: bool = False
    planar: bool = False
    no_blendshapes: Any = None


def plain_face(face: Faces, form: FaceFormat) -> dict[str, Any]:
    """Describe one face in plain numbers, lists and dictionaries.

    Args:
        face: a result with one face.
        form: which fields, with how many digits.

    Returns:
        Field -> value, in the order of the format.

    Raises:
        ValueError: `face` is not one face.
    """
    if len(face) != 1:
        raise ValueError(f"one face is described at a time, not {len(face)}: index the faces")
    return {name: _field(name, face, form, digits) for name, digits in form.fields.items()}


def exact(values: Any) -> Any:
    """The shortest decimals that identify each float32."""
    digits = np.asarray(values, np.float32).astype("U16")  # the longest has 15 characters, as in -1.17549435e-38
    return digits.astype(np.float64).tolist()


def rounded(decimals: int) -> Digits:
    """Numbers with at most so many decimals."""

    def digits(values: Any) -> Any:
        if np.ndim(values):
            return [digits(value) for value in values]
        return round(float(values), decimals)

    return digits


def rounded_single(decimals: int) -> Digits:
    """Numbers rounded in single precision and written in double precision: 0.1 becomes 0.10000000149011612."""
    return lambda values: np.round(np.asarray(values, np.float32), decimals).tolist()


def single(values: Any) -> Any:
    """Float32 as it is, for tables."""
    return np.asarray(values, np.float32)[()]  # a scalar, not an array of no dimension, which Arrow refuses


def flags(values: Any) -> Any:
    """Truth values."""
    return np.asarray(values, bool).tolist()


RECORD: Final = FaceFormat(
    {
        "box": exact,
        "score": exact,
        "roi": exact,
        "euler_deg": exact,
        "turn_nod_tilt_deg": exact,
        "rotation": exact,
        "rotation_vector": exact,
        "quaternion": exact,
        "camera": exact,
        "scale": exact,
        "translation": exact,
        "landmarks68": exact,
        "params": exact,
        "blendshapes": exact,
        "visibility68": flags,
        "quality": exact,
        "landmark_std": exact,
        "landmark_occlusion": exact,
        "depth_range": exact,
    }
)
VIDEO: Final = FaceFormat(
    dict.fromkeys(
        (
            "score", "box", "roi", "euler_deg", "turn_nod_tilt_deg", "rotation", "quaternion", "scale", "translation",
            "camera_rotation", "translation_mm", "distance_mm", "reprojection_error_px", "blendshapes", "landmarks68",
            "params", "quality", "landmark_std", "landmark_occlusion",
        ),
        rounded(5),
    ),
    flat=True,
    no_blendshapes=[],
)  # fmt: skip
TABLE: Final = FaceFormat(
    dict.fromkeys(
        (
            "box",
            "score",
            "roi",
            "params",
            "euler_deg",
            "turn_nod_tilt_deg",
            "camera_rotation",
            "translation_mm",
            "distance_mm",
            "reprojection_error_px",
            "landmarks68",
            "quality",
            "landmark_std",
            "landmark_occlusion",
        ),
        single,
    ),
    flat=True,
)
LIVE: Final = FaceFormat(
    {
        "box": rounded_single(1),
        "score": rounded(3),
        "euler_deg": rounded(2),
        "turn_nod_tilt_deg": rounded(2),
        "rotation": rounded_single(5),
        "scale": rounded(4),
        "landmarks68": rounded_single(1),
        "visibility68": flags,
        "quality": rounded(3),
        "landmark_std": rounded_single(2),
        "landmark_occlusion": rounded_single(2),
        "blendshapes": rounded_single(3),
    },
    planar=True,
    no_blendshapes={},
)

_VALUES: Final[Mapping[str, Callable[[Faces], Any]]] = {
    "box": lambda face: face.boxes[0],
    "score": lambda face: face.scores[0],
    "roi": lambda face: face.roi[0],
    "euler_deg": lambda face: face.euler_deg[0],
    "turn_nod_tilt_deg": lambda face: face.turn_nod_tilt_deg[0],
    "rotation": lambda face: face.rotation[0],
    "rotation_vector": lambda face: face.rotation_vector[0],
    "quaternion": lambda face: face.quaternion[0],
    "camera_rotation": lambda face: face.perspective.rotation[0],
    "translation_mm": lambda face: face.perspective.translation_mm[0],
    "distance_mm": lambda face: face.perspective.distance_mm[0],
    "reprojection_error_px": lambda face: face.perspective.reprojection_error_px[0],
    "scale": lambda face: face.scale[0],
    "translation": lambda face: face.translation[0],
    "landmarks68": lambda face: face.landmarks68[0],
    "params": lambda face: face.params[0],
    "blendshapes": lambda face: face.blendshapes[0],
    "visibility68": landmark_visibility,
    "quality": lambda face: _first(face.quality),
    "landmark_std": lambda face: _first(face.landmark_std),
    "landmark_occlusion": lambda face: _first(face.landmark_occlusion),
    "depth_range": lambda face: np.array([face.vertices[0, :, 2].min(), face.vertices[0, :, 2].max()]),
}


def _first(values: Any) -> Any:
    return None if values is None else values[0]


def _field(name: str, face: Faces, form: FaceFormat, digits: Digits) -> Any:
    if name == "blendshapes" and not face.head.has_arkit:
        return form.no_blendshapes
    if name in _OF_CAMERA and face.camera is None:
        return None
    if name == "camera":
        return _camera(face, digits)
    values = _VALUES[name](face)
    if values is None:  # the bundle has no quality head
        return None
    if name == "landmarks68" and form.planar:
        values = values[:, :2]
    if form.flat:
        return digits(np.ravel(values) if np.ndim(values) else values)
    match name:
        case "euler_deg" | "turn_nod_tilt_deg":
            return dict(zip(_ANGLES[name], digits(values), strict=True))
        case "blendshapes":
            return dict(zip(face.head.expression_names, digits(values), strict=True))
        case "params":
            parts = {"pose": values[:12].reshape(3, 4), "identity": face.identity[0], "expression": face.expression[0]}
            return {part: digits(numbers) for part, numbers in parts.items()}
        case _:
            return digits(values)


def _camera(face: Faces, digits: Digits) -> dict[str, Any]:
    """The intrinsics of the photo's camera, and the pose in front of it."""
    assert face.camera is not None
    intrinsics = face.camera.at(face.image_size)._asdict()
    pose = {name: values[0] for name, values in face.perspective._asdict().items()}
    return {name: digits(value) for name, value in {**intrinsics, "ipd_mm": face.camera.ipd_mm, **pose}.items()}
