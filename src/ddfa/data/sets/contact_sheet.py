"""`ddfa data show`: a contact sheet of a data set, of random faces or of its extremes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from tyro.conf import Positional, arg

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.labels import Labels, image_euler
from ddfa.draw.landmarks import draw_landmarks
from ddfa.draw.overlay import draw_mesh
from ddfa.errors import DataError
from ddfa.geometry.roi import crop_matrix, roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.options import Count, File, Seed

_ORDERS = ("random", "yaw", "pitch", "fit_error", "asymmetry")
_MARGIN = 1.15  # side of a tile over the side of the face's RoI
_MESH = 0.4  # opacity


@dataclass(frozen=True)
class ShowConfig:
    """Which faces of a data set are shown.

    Attributes:
        data: the data set folder.
        output: the image to write.
        by: which faces: random ones, or those with the largest |yaw|, |pitch|, fit error (fit_error), difference
            between the expressions of the left and the right side (asymmetry), or coefficient of an expression, such
            as eyeBlinkLeft.
        count: how many.
        columns: faces per row.
        tile: side of a face in px.
        mesh: draw the mesh as well.
        head: file of the head model of the labels; the open head by default.
        seed: of the random choice.
    """

    data: Positional[Annotated[Path, arg(metavar="DIR")]]
    output: File = Path("sheet.png")
    by: Annotated[str, arg(metavar="NAME")] = "random"
    count: Count = 40
    columns: Annotated[int, arg(metavar="N")] = 8
    tile: Annotated[int, arg(metavar="PX")] = 240
    mesh: bool = False
    head: Annotated[Path | None, arg(metavar="FILE")] = None
    seed: Seed = 0


def contact_sheet(config: ShowConfig) -> UInt8:
    """Draw labelled faces over their photos, (H, W, 3) uint8 RGB.

    Raises:
        DataError: the data set cannot be read, or `by` or a number is not valid.
    """
    if min(config.count, config.columns, config.tile) < 1:
        raise DataError("--count, --columns and --tile must be at least 1")
    head = HeadModel.load(config.head)
    data = LabelledPhotos.open(config.data, head)
    values = ranked_by(data.labels, head, config.by, config.seed)
    chosen = np.argsort(-values, kind="stable")[: config.count]
    tiles = [_face(data, head, int(index), config) for index in chosen]
    if config.by != "random":
        for tile, value in zip(tiles, values[chosen], strict=True):
            _write(tile, f"{value:.3g}")
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % min(config.columns, len(tiles)))
    rows = [np.hstack(tiles[k : k + config.columns]) for k in range(0, len(tiles), config.columns)]
    return np.vstack(rows)


def ranked_by(labels: Labels, head: HeadModel, by: str, seed: int = 0) -> Float64:
    """A value (n,) for each label; the faces with the largest ones are shown first.

    Args:
        labels: n labels.
        head: their head model.
        by: "random", "yaw", "pitch" (degrees, either way), "fit_error", "asymmetry" or the name of an expression.
        seed: of the random order.

    Raises:
        DataError: there is no such order, or the head has no mirror map.
    """
    if by in head.expression_names:
        return labels.expression[:, head.expression_names.index(by)].astype(np.float64)
    if by == "random":
        return np.random.default_rng(seed).random(len(labels))
    if by == "fit_error":
        return labels.fit_error.astype(np.float64)
    if by == "asymmetry":
        if head.expression_mirror is None:
            raise DataError(f"head '{head.name}' has no mirror map: --by asymmetry needs the open head")
        looks = [name.startswith("eyeLook") for name in head.expression_names]  # gaze is not asymmetry
        difference = np.abs(labels.expression - labels.expression[:, head.expression_mirror])
        return np.asarray(np.where(looks, 0, difference).max(axis=1), np.float64)
    if by in ("yaw", "pitch"):
        return np.asarray(np.abs(image_euler(labels.pose)[:, 0 if by == "yaw" else 1]), np.float64)
    raise DataError(f"--by does not know '{by}': choose from {', '.join(_ORDERS + head.expression_names)}")


def _face(data: LabelledPhotos, head: HeadModel, index: int, config: ShowConfig) -> UInt8:
    """One labelled face, (tile, tile, 3) uint8 RGB."""
    x0, y0, x1, y1 = roi_from_landmarks(data.landmarks[index : index + 1])[0].astype(np.float64)
    centre, half = np.array([x0 + x1, y0 + y1]) / 2, _MARGIN * (x1 - x0) / 2
    affine = crop_matrix(np.concatenate([centre - half, centre + half])[None], config.tile)[0]
    photo = data.photos.read(data.labels.names[index])
    tile = np.asarray(cv2.warpAffine(photo, affine, (config.tile, config.tile)), np.uint8)
    if config.mesh:
        labels = data.labels
        shape = head.decode(labels.identity[index : index + 1], labels.expression[index : index + 1])[0]
        draw_mesh(tile, _placed(shape @ labels.pose[index, :, :3].T + labels.pose[index, :, 3], affine), head, _MESH)
    draw_landmarks(tile, _placed(data.landmarks[index], affine))
    return tile


def _placed(points: Float32, affine: Float64) -> Float32:
    """Map points (K, 3) from image space to a tile; depth is scaled by the same factor."""
    flat = points[:, :2] @ affine[:, :2].T + affine[:, 2]
    return np.column_stack([flat, affine[0, 0] * points[:, 2]]).astype(np.float32)


def _write(tile: UInt8, text: str) -> None:
    """Write a line of text in the corner of a tile, light on dark."""
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(tile, text, (6, 18), cv2.FONT_HERSHEY_DUPLEX, 0.5, colour, thickness, cv2.LINE_AA)
