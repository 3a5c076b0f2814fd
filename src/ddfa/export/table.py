"""Faces as a table, one row per face: CSV, Arrow, pandas.

Columns that mean the same as in OpenFace have its names: `face`, `confidence`, `pose_Rx` to `pose_Rz`, `x_0` to `y_67`
and, with a camera, `pose_Tx` to `pose_Tz` and `X_0` to `Z_67`. OpenFace: Baltrušaitis et al., FG 2018.
"""

import csv
import io
from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Float32, Float64
from ddfa.export.plain import exact
from ddfa.extras import require
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.head.measure import pupils

_POINTS: Final = 68
_FLIP: Final = np.diag([1.0, -1.0, -1.0])  # from y up, z to the viewer to y down, z away


def face_columns(faces: Faces) -> dict[str, Any]:
    """The columns of the table, see docs/outputs.md.

    Args:
        faces: n faces.

    Returns:
        Name -> (n,) array.
    """
    columns: dict[str, Any] = {"face": np.arange(len(faces))}
    columns["confidence"] = faces.scores if faces.quality is None else faces.quality
    columns |= _named("pose_T", "xyz", None if faces.camera is None else _opencv(faces.perspective.translation_mm))
    columns |= _named("pose_R", "xyz", _openface_angles(faces))
    columns |= _points("xy", faces.landmarks68)
    columns |= {} if faces.camera is None else _points("XYZ", _landmarks_mm(faces))
    columns["score"] = faces.scores
    columns |= _named("box_", ("x0", "y0", "x1", "y1"), faces.boxes)
    columns |= _named("", ("yaw", "pitch", "roll"), faces.euler_deg)
    columns |= _named("", ("turn", "nod", "tilt"), faces.turn_nod_tilt_deg)
    columns["scale"] = faces.scale
    columns |= _points("z", faces.landmarks68[..., 2:])
    return columns | (faces.blendshapes_by_name if faces.head.has_arkit else {})


def write_csv(path: Path, faces: Faces) -> None:
    """Write the table as CSV with a header; numbers have exactly the digits that a float32 needs.

    Raises:
        OutputError: it cannot be written.
    """
    columns = {name: exact(v) if v.dtype.kind == "f" else v.tolist() for name, v in face_columns(faces).items()}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    write_atomically(path, text.getvalue().encode())


def arrow_table(faces: Faces) -> Any:
    """The table as `pyarrow.Table`.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return require("pyarrow").table(face_columns(faces))


def data_frame(faces: Faces) -> Any:
    """The table as `pandas.DataFrame`.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    return require("pandas").DataFrame(face_columns(faces))


def write_parquet(path: Path, faces: Faces) -> None:
    """Write the table as Parquet.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: it cannot be written.
    """
    content = io.BytesIO()
    require("pyarrow.parquet").write_table(arrow_table(faces), content)
    write_atomically(path, content.getvalue())


def _named(prefix: str, names: Any, values: Any) -> dict[str, Any]:
    return {} if values is None else {f"{prefix}{name}": values[:, k] for k, name in enumerate(names)}


def _points(axes: str, points: Any) -> dict[str, Any]:
    return {f"{axis}_{k}": points[:, k, number] for number, axis in enumerate(axes) for k in range(_POINTS)}


def _opencv(points: Float32) -> Float32:
    """Camera axes with y up as x right, y down, z away from the viewer, which OpenFace and OpenCV use."""
    flipped: Float32 = points * np.array([1, -1, -1], np.float32)
    return flipped


def _openface_angles(faces: Faces) -> Float32:
    """(n, 3) radians: R = Rx Ry Rz in the axes of OpenFace; with a camera relative to its axis, else to the ray."""
    rotation: Float64 = np.asarray(faces.rotation if faces.camera is None else faces.perspective.rotation, np.float64)
    rotation = _FLIP @ rotation @ _FLIP
    x = np.arctan2(-rotation[:, 1, 2], rotation[:, 2, 2])
    y = np.arcsin(np.clip(rotation[:, 0, 2], -1, 1))
    z = np.arctan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return np.stack([x, y, z], axis=1).astype(np.float32)


def _landmarks_mm(faces: Faces) -> Float32:
    """(n, 68, 3) landmarks in front of the camera, mm, x right, y down, z away from the viewer."""
    assert faces.camera is not None
    eyes = pupils(faces.head, faces.identity)
    unit = faces.camera.ipd_mm / np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1)
    pose = faces.perspective
    points = faces.head.decode_landmarks(faces.identity, faces.expression) * unit[:, None, None]
    return _opencv((points @ pose.rotation.transpose(0, 2, 1) + pose.translation_mm[:, None]).astype(np.float32))
