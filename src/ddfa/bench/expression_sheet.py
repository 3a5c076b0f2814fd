"""Blendshapes of single photos beside the mesh teacher's (`ddfa bench expressions`): a table and a sheet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Float64, UInt8
from ddfa.bench.chart import cumulative_chart
from ddfa.bench.predict import Watch, detect_face
from ddfa.bench.report import Report, Sheet
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.photos import Photos
from ddfa.draw.canvas import draw_text
from ddfa.draw.overlay import draw_overlay
from ddfa.draw.styles import parse_style
from ddfa.errors import DataError
from ddfa.faces import Faces
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.regress.crop import affine_crop

TEACHER: Final = "mesh teacher"
_SHOWN_FROM, _MOST = 0.15, 9  # units of a photo: value of any model from which on they are listed, and their number
_TILE, _LINE, _BAR = 320, 32, 150  # px
_INK, _PAPER = (30, 30, 30), 255
_COLOURS: Final = ((90, 90, 90), (31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189))


@dataclass(frozen=True, eq=False)
class PhotoUnits:
    """One face.

    Attributes:
        name: of the photo.
        image: (H, W, 3) uint8 RGB.
        faces: the face as the first model sees it.
        units: (52,) blendshapes of the teacher and of each model, by name.
    """

    name: str
    image: UInt8
    faces: Faces
    units: dict[str, Float32]


def compare_units(
    aligners: dict[str, FaceAligner], photos: Photos, teacher: MeshTeacher, watch: Watch = iter
) -> list[PhotoUnits]:
    """Blendshapes of the largest face of each photo that every model finds.

    Args:
        aligners: the models by name, at least one, all of the open head.
        photos: the photos.
        teacher: the mesh teacher.
        watch: shows progress.

    Raises:
        DataError: no photo shows a face, or a photo cannot be read.
    """
    result = []
    for number in watch(range(len(photos))):
        image = photos.read(photos.names[number])
        found = {name: detect_face(aligner, image) for name, aligner in aligners.items()}
        if all(len(faces) for faces in found.values()):
            first = next(iter(found.values()))
            scores = teacher.observe([image], first.landmarks68[..., :2]).scores[0]
            units = {TEACHER: scores} | {name: faces.blendshapes[0] for name, faces in found.items()}
            result.append(PhotoUnits(photos.names[number], image, first, units))
    if not result:
        raise DataError(f"no photo in {photos.path} shows a face: name other photos")
    return result


def comparison_report(faces: Sequence[PhotoUnits], names: Sequence[str], title: str) -> Report:
    """The clearest units of each photo, and the mean difference of each model from the teacher.

    Args:
        faces: at least one, all with the same models.
        names: of the 52 units.
        title: of the table.
    """
    models = list(faces[0].units)
    rows = [
        (one.name if number == 0 else "", unit, *values)
        for one in faces
        for number, (unit, *values) in enumerate(_lines(one, names))
    ]
    errors = {model: np.abs([one.units[model] - one.units[TEACHER] for one in faces]) for model in models[1:]}
    means = [(model, f"{error.mean():.3f}") for model, error in errors.items()]
    summary = Sheet(f"mean difference from the {TEACHER}", ("model", "all units"), means)
    record = [
        {"photo": one.name, "model": model, "units": dict(zip(names, values.tolist(), strict=True))}
        for one in faces
        for model, values in one.units.items()
    ]
    chart = cumulative_chart("units", "difference from the teacher", {m: (e.ravel(), 0) for m, e in errors.items()})
    sheet = Sheet(title, ("photo", "unit", *models), rows)
    return Report(sheet, record, chart, {"photos": len(faces)}, (summary,))


def draw_comparison(faces: Sequence[PhotoUnits], names: Sequence[str]) -> UInt8:
    """A sheet (H, W, 3) uint8 RGB: per row a photo, the fitted mesh, and bars of its clearest units for all models."""
    return np.vstack([_row(one, names) for one in faces])


def _row(one: PhotoUnits, names: Sequence[str]) -> UInt8:
    roi = roi_from_landmarks(one.faces.landmarks68)[0]
    mesh = draw_overlay(one.image, one.faces, parse_style("mesh"))
    tiles = [affine_crop(picture, roi, _TILE) for picture in (one.image, mesh)]
    return np.hstack([*tiles, _bars(one, names)])


def _bars(one: PhotoUnits, names: Sequence[str]) -> UInt8:
    """Bars of the clearest units: one line per unit, one bar per model and side, the left one first."""
    canvas = np.full((_TILE, 190 + _BAR * 2 * len(one.units), 3), _PAPER, np.uint8)
    for k, model in enumerate(one.units):
        draw_text(canvas, model, 190 + 2 * _BAR * k, 18, 10, _COLOURS[k % len(_COLOURS)])
    for line, (unit, columns) in enumerate(_clearest(one, names)):
        y = 30 + _LINE * line
        draw_text(canvas, unit, 6, y + 18, 9, _INK)
        for k, values in enumerate(one.units.values()):
            for side, column in enumerate(columns):
                x, length = 190 + _BAR * (2 * k + side), round((_BAR - 50) * float(values[column]))
                cv2.rectangle(canvas, (x, y + 6), (x + length, y + 20), _COLOURS[k % len(_COLOURS)], cv2.FILLED)
                draw_text(canvas, f"{values[column]:.2f}", x + length + 4, y + 18, 8, _INK)
    return canvas


def _lines(one: PhotoUnits, names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """Rows of the table: unit, then the values of each model, of both sides if there are two."""
    for unit, columns in _clearest(one, names):
        yield (unit, *(" / ".join(f"{values[column]:.2f}" for column in columns) for values in one.units.values()))


def _clearest(one: PhotoUnits, names: Sequence[str]) -> list[tuple[str, list[int]]]:
    """The units with the largest values, both sides together: name without side, columns left and right."""
    pairs: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        pairs.setdefault(_without_side(name, names), []).append(column)
    largest: Float64 = np.max(list(one.units.values()), axis=0).astype(np.float64)
    ranked = sorted(pairs.items(), key=lambda pair: -largest[pair[1]].max())
    return [pair for pair in ranked if largest[pair[1]].max() >= _SHOWN_FROM][:_MOST]


def _without_side(name: str, names: Sequence[str]) -> str:
    """The name of a unit of two sides without its side; jawLeft and mouthLeft, which have no sides, are kept."""
    bare = name.removesuffix("Left").removesuffix("Right")
    return bare if bare not in ("jaw", "mouth") and {f"{bare}Left", f"{bare}Right"} <= set(names) else name
