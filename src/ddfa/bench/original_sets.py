"""The test sets distributed with original 3DDFA V1: AFLW2000-3D and AFLW as 120 px crops.

    AFLW2000-3D_crop/, AFLW2000-3D_crop.list      AFLW_GT_crop/, AFLW_GT_crop.list     (in test.data/)
    AFLW2000-3D_crop.roi_box.npy (n, 4)           AFLW_GT_crop_roi_box.npy (n, 4)      (in test.configs/)
    AFLW2000-3D.pose.npy (n,)                     AFLW_GT_crop_yaws.npy (n,)
    AFLW2000-3D.pts68.npy (n, 3, 68)              AFLW_GT_pts68.npy (n, 2 or 3, 68)
    AFLW2000-3D-Reannotated.pts68.npy (n, 2, 68)  AFLW_GT_pts21.npy (n, 2, 21), x = -1 where not visible

RoIs are the first and last pixel of the crop; like all points in these files they are 1-based. A V1 model is scored
exactly as in original 3DDFA: a point x of the crop is at x (ex - sx) / 120 + sx. Other models use their own pixel
convention on the cropped pixels.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, Float64, Floats, UInt8
from ddfa.bench.metrics import aligned, box_size, nme
from ddfa.bench.predict import Predictions, Watch, collect
from ddfa.bench.report import Scores
from ddfa.bench.sets import AnnotatedSet
from ddfa.data.sets.original_3ddfa import read_list
from ddfa.data.sets.photos import Photos
from ddfa.detect import Detections
from ddfa.errors import DataError, reading
from ddfa.faces import Faces
from ddfa.files import check_regular
from ddfa.regress.convention import PixelConvention

_PLACES = (".", "test.data", "test.configs")
# AFLW's 21 points from the 68, numbered from 1; a pair is the first and last of the points to average (3DDFA V1).
_POINTS21 = (18, 20, 22, 23, 25, 27, 37, (37, 42), 40, 43, (43, 48), 46, 3, 32, 31, 36, 15, 49, (61, 68), 55, 9)


class _Layout(NamedTuple):
    """The files of one test set.

    Attributes:
        name: of the set.
        crops: folder of the crops; its list has the same name and the suffix `.list`.
        roi: the RoIs.
        yaw: yaw in degrees.
        labels: name -> file of 68 points; the first also defines the face boxes, the others may be missing.
    """

    name: str
    crops: str
    roi: str
    yaw: str
    labels: dict[str, str]


_AFLW2000 = _Layout(
    "AFLW2000-3D",
    "AFLW2000-3D_crop",
    "AFLW2000-3D_crop.roi_box.npy",
    "AFLW2000-3D.pose.npy",
    {"original": "AFLW2000-3D.pts68.npy", "re-annotated": "AFLW2000-3D-Reannotated.pts68.npy"},
)
_AFLW = _Layout(
    "AFLW",
    "AFLW_GT_crop",
    "AFLW_GT_crop_roi_box.npy",
    "AFLW_GT_crop_yaws.npy",
    {"original": "AFLW_GT_pts68.npy"},
)


@dataclass(frozen=True, eq=False)
class OriginalSet:
    """A test set of original 3DDFA.

    Attributes:
        name: "AFLW2000-3D" or "AFLW".
        crops: the crops.
        names: n names of crops, in the order of the arrays.
        roi: (n, 4) float32 first and last column and row of each crop, 1-based.
        yaw_deg: (n,) float32.
        labels: name -> (n, 68, 2 or 3) float32 px of the uncropped photos, 0-based; "original" first.
    """

    name: str
    crops: Photos
    names: tuple[str, ...]
    roi: Float32
    yaw_deg: Float32
    labels: dict[str, Float32]

    @staticmethod
    def load(folder: Path, which: Literal["aflw2000", "aflw"]) -> "OriginalSet":
        """Read a test set.

        Args:
            folder: contains the files listed at the top of this module, or `test.data` and `test.configs` with them.
            which: the set.

        Raises:
            DataError: a file is missing or inconsistent with the others.
        """
        layout = _AFLW2000 if which == "aflw2000" else _AFLW
        names = read_list(_find(folder, f"{layout.crops}.list"))
        n = len(names)
        labels = {
            kind: _from_zero(_array(folder, file, (n, 2, 68), (n, 3, 68)))
            for kind, file in layout.labels.items()
            if kind == "original" or _places(folder, file)
        }
        roi, yaw = _array(folder, layout.roi, (n, 4)), _array(folder, layout.yaw, (n,))
        return OriginalSet(layout.name, Photos(_find(folder, layout.crops)), names, roi, yaw, labels)

    def __len__(self) -> int:
        return len(self.names)

    def uncropped(self, photos: Photos) -> AnnotatedSet:
        """The same faces in the uncropped photos, which have the same names."""
        angles = np.full((len(self), 3), np.nan, np.float32)
        angles[:, 0] = self.yaw_deg
        return AnnotatedSet(self.name, photos, self.names, self.labels["original"], angles)

    def predict(self, aligner: FaceAligner, watch: Watch = iter) -> Predictions:
        """Regress the crops.

        Args:
            aligner: the model.
            watch: shows progress.

        Returns:
            The predictions; landmarks in px of the uncropped photos, 0-based.
        """
        found = collect(aligner, len(self), lambda i: self._look(aligner, i), watch)
        if aligner.bundle.convention is PixelConvention.V1:  # the original formula is 1-based
            found.landmarks68[..., :2] -= 1
        return found

    def _look(self, aligner: FaceAligner, i: int) -> Faces:
        crop = self.crops.read(self.names[i])
        convention = aligner.bundle.convention
        faces = aligner.align_rois(crop, _whole(crop, convention), Detections.from_boxes(_whole(crop, convention)))
        return replace(faces, roi=_roi_of_pixels(self.roi[i], convention)[None])


def load_points21(folder: Path, count: int) -> tuple[Float32, Bools]:
    """Read the 21 points of AFLW.

    Args:
        folder: see `OriginalSet.load`.
        count: faces n.

    Returns:
        Points (n, 21, 2) float32 px, 0-based, and which of them are visible (n, 21).

    Raises:
        DataError: the file is missing or of another shape, or a face has fewer than two points.
    """
    stored = _array(folder, "AFLW_GT_pts21.npy", (count, 2, 21))
    visible = stored[:, 0] != -1
    if visible.sum(axis=1).min(initial=21) < 2:
        raise DataError(f"AFLW_GT_pts21.npy: face {int(visible.sum(axis=1).argmin())} has fewer than 2 visible points")
    return _from_zero(stored), visible


def points21(landmarks68: Floats) -> Float64:
    """The 21 points of AFLW from 68 landmarks, by the rule of 3DDFA V1.

    Args:
        landmarks68: (n, 68, D).

    Returns:
        (n, 21, D) float64.
    """
    points = np.asarray(landmarks68, np.float64)
    ranges = [rule if isinstance(rule, tuple) else (rule, rule) for rule in _POINTS21]
    return np.stack([points[:, first - 1 : last].mean(axis=1) for first, last in ranges], axis=1)


def score21(found: Predictions, data: OriginalSet, points: Floats, visible: Bools, *, align: bool = False) -> Scores:
    """Score AFLW's 21 points; the error is divided by the size of the true 68 points' bounding box.

    Args:
        found: the predictions.
        data: the set.
        points: (n, 21, 2) truth, see `load_points21`.
        visible: (n, 21) points that are scored.
        align: score after the best scale and translation.

    Returns:
        The NME of each face in %.
    """
    i = found.index
    predicted, truth = points21(found.landmarks68)[..., :2], points[i]
    predicted = aligned(predicted, truth, visible[i]) if align else predicted
    errors = nme(predicted, truth, visible[i], box_size(data.labels["original"][i]))
    return Scores(found.model, errors, data.yaw_deg[i], found.missed)


def _from_zero(stored: Float32) -> Float32:
    """Convert stored points (n, D, K), 1-based, to points (n, K, D), 0-based."""
    points = np.ascontiguousarray(stored.transpose(0, 2, 1))
    points[..., :2] -= 1
    return points


def _whole(crop: UInt8, convention: PixelConvention) -> Float32:
    """The RoI (1, 4) that covers the whole crop."""
    height, width = crop.shape[:2]
    edge = 0.0 if convention.is_original else -0.5
    return np.array([[edge, edge, width + edge, height + edge]], np.float32)


def _roi_of_pixels(roi: Floats, convention: PixelConvention) -> Float32:
    """The RoI (4,), in the model's convention, of the 1-based pixels sx..ex, sy..ey."""
    if convention is PixelConvention.V1:
        return np.asarray(roi, np.float32)
    low, high = (-1.0, 0.0) if convention is PixelConvention.V2 else (-1.5, -0.5)
    return np.asarray(roi + np.array([low, low, high, high]), np.float32)


def _places(folder: Path, name: str) -> list[Path]:
    return [path for place in _PLACES if (path := folder / place / name).exists()]


def _find(folder: Path, name: str) -> Path:
    places = _places(folder, name)
    if not places:
        raise DataError(f"{name} is neither in {folder} nor in its test.data or test.configs: check the folder")
    return places[0]


def _array(folder: Path, name: str, *shapes: tuple[int, ...]) -> Float32:
    path = _find(folder, name)
    check_regular(path, DataError)
    with reading(path, DataError, "not a readable array", "copy it again"):
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    if array.shape not in shapes:
        raise DataError(f"{path} is {array.shape}, not {' or '.join(map(str, shapes))}: it does not match the list")
    return array.astype(np.float32)
