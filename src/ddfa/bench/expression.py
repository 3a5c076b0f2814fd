"""Agreement of an expression, for instance closed eyes, with reference scores."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddfa.array_files import open_npz
from ddfa.arrays import Float32, Float64, Floats
from ddfa.bench.chart import Chart
from ddfa.bench.predict import Predictions, Watch
from ddfa.bench.report import Report, Sheet, number
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError, one_line, reading
from ddfa.files import check_regular, write_atomically
from ddfa.head.model import HeadModel

_SIDES = ("Left", "Right")
PRESENT = 0.9  # probability of a face, as predicted by the mesh network, above which its result is used
# Per aperture, left and right of the subject: the corners (width), the upper and the lower points (heights).
APERTURES = {
    "eyeBlinkLeft": ((42, 45), (43, 44), (47, 46)),
    "eyeBlinkRight": ((36, 39), (37, 38), (41, 40)),
    "jawOpen": ((60, 64), (61, 62, 63), (67, 66, 65)),
}
_LEVELS = 10
_SHOWN = 200  # characters of a list of columns in a message
_OPEN_EYE = 0.35  # height over width


@dataclass(frozen=True, eq=False)
class ReferenceScores:
    """Reference scores of an expression in photos.

    Attributes:
        names: n names of photos.
        scores: expression -> (n,) float32 in [0, 1]; NaN where there is no score.
    """

    names: tuple[str, ...]
    scores: dict[str, Float32]

    @staticmethod
    def load(path: Path, expression: str) -> "ReferenceScores":
        """Read reference scores.

        Args:
            path: a `.csv` whose header has `name` and the expressions, or an `.npz` with `names` and one array (n,)
                per expression.
            expression: an ARKit name, or one without its Left or Right for both sides.

        Raises:
            DataError: the file is missing, damaged or lacks the expression.
        """
        columns = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
        wanted = [name for name in _sided(expression) if name in columns]
        names = columns.get("names", columns.get("name"))
        if names is None or not wanted:
            has = one_line(", ".join(columns))[:_SHOWN] or "nothing"
            raise DataError(f"{path} has no name column or no {expression}: it has {has}")
        try:
            scores = {name: np.array([_score(value) for value in columns[name]], np.float32) for name in wanted}
        except ValueError as error:
            raise DataError(f"{path} holds scores that are not numbers ({error}): correct them") from None
        if any(len(values) != len(names) for values in scores.values()):
            raise DataError(f"{path} has {len(names)} names and other numbers of scores: write it again")
        return ReferenceScores(tuple(str(name) for name in names), scores)

    def save(self, path: Path) -> None:
        """Write the scores as `.csv`.

        Raises:
            OutputError: the file cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", *self.scores])
        for k, name in enumerate(self.names):
            writer.writerow([name, *("" if np.isnan(s[k]) else f"{s[k]:.4f}" for s in self.scores.values())])
        write_atomically(path, text.getvalue().encode())


def mesh_scores(
    task: Path, expression: str, photos: Photos, found: Predictions, watch: Watch = iter
) -> ReferenceScores:
    """Score photos with a `face_landmarker.task`, see `MeshTeacher`.

    Args:
        task: the file.
        expression: as for `ReferenceScores.load`.
        photos: the photos.
        found: where the faces are, for each of the photos.
        watch: shows progress.

    Returns:
        The scores; NaN for photos in which the face was not found, also not by the mesh network.

    Raises:
        DataError: the file cannot be used, or does not score this expression.
    """
    head = HeadModel.load()
    wanted = {name: k for k, name in enumerate(head.expression_names) if name in _sided(expression)}
    if head.expression_mirror is None or not wanted:
        raise DataError(f"the face mesh does not score {expression}: name an ARKit expression such as jawOpen")
    teacher = MeshTeacher(task, head.expression_mirror)
    scores = np.full((len(photos), len(head.expression_names)), np.nan, np.float32)
    for i in watch(range(len(found.index))):
        photo = photos.read(photos.names[found.index[i]])
        view = teacher.observe([photo], found.landmarks68[i : i + 1, :, :2])
        if view.presence[0] >= PRESENT:
            scores[found.index[i]] = view.scores[0]
    return ReferenceScores(photos.names, {name: scores[:, k] for name, k in wanted.items()})


def _sided(expression: str) -> tuple[str, ...]:
    """The names an expression stands for: its own, and those of both sides."""
    return (expression, *(f"{expression}{side}" for side in _SIDES))


@dataclass(frozen=True)
class Agreement:
    """Agreement of a measure with the reference.

    Attributes:
        model: the bundle's name.
        measure: which output of the model was compared: "coefficient" or "landmarks".
        count: number of values.
        pearson: linear correlation.
        spearman: rank correlation.
        auc: area under the ROC curve.
        levels: mean of the measure in each tenth of the reference's range; NaN for empty ones.
        missed: photos in which no face was found.
    """

    model: str
    measure: str
    count: int
    pearson: float
    spearman: float
    auc: float
    levels: tuple[float, ...]
    missed: int


def agreements(found: Predictions, reference: ReferenceScores, positive: float = 0.5) -> list[Agreement]:
    """Compare a model with the reference, both sides of the face pooled.

    Args:
        found: predictions for the photos of the reference, in its order.
        reference: the scores.
        positive: reference scores from this value on are positives for the AUC.

    Returns:
        One result for the model's coefficients, if its head has the expression, and one for the aperture of eyes or
        mouth in its landmarks, if the expression corresponds to one.
    """
    truth = np.concatenate([scores[found.index] for scores in reference.scores.values()])
    names = list(reference.scores)
    measures: dict[str, Float64] = {}
    if set(names) <= set(found.expression_names):
        columns = [found.expression_names.index(name) for name in names]
        measures["coefficient"] = np.clip(found.expression[:, columns], 0, 1).T.reshape(-1).astype(np.float64)
    if set(names) <= set(APERTURES):
        measures["landmarks"] = np.concatenate([aperture_score(found.landmarks68, name) for name in names])
    return [
        _agreement(found, measure, values[~np.isnan(truth)], truth[~np.isnan(truth)], positive)
        for measure, values in measures.items()
    ]


def aperture_score(landmarks68: Floats, expression: str) -> Float64:
    """Measure an expression in landmarks: the mouth aperture, or how far an eye is closed.

    Args:
        landmarks68: (n, 68, 3) px.
        expression: "eyeBlinkLeft", "eyeBlinkRight" or "jawOpen".

    Returns:
        (n,) float64: mean height of the aperture over its width, in 3D; for eyes 0.35 minus this ratio, about 0
        for wide open eyes.
    """
    corners, upper, lower = APERTURES[expression]
    points = np.asarray(landmarks68, np.float64)
    width = np.linalg.norm(points[:, corners[0]] - points[:, corners[1]], axis=-1)
    ratio = np.linalg.norm(points[:, upper] - points[:, lower], axis=-1).mean(axis=1) / np.maximum(width, 1e-9)
    return np.asarray(ratio if expression == "jawOpen" else _OPEN_EYE - ratio)


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation of two vectors; NaN if one of them is constant or they are empty."""
    if not len(first):
        return float("nan")
    a, b = (np.asarray(values, np.float64) - np.mean(values) for values in (first, second))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def ranks(values: Floats) -> Float64:
    """Ranks (n,) from 1, ties at their mean rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def area_under_curve(values: Floats, positive: "np.typing.NDArray[np.bool_]") -> float:
    """Area under the ROC curve: the probability that a positive has the larger value (Mann-Whitney U); ties count half.

    Args:
        values: (n,).
        positive: (n,).

    Returns:
        In [0, 1]; NaN without positives or without negatives.
    """
    p = int(positive.sum())
    pairs = p * (len(values) - p)
    return float((ranks(values)[positive].sum() - p * (p + 1) / 2) / pairs) if pairs else float("nan")


def agreement_report(title: str, results: list[Agreement], settings: dict[str, Any]) -> Report:
    """Report agreements; the chart shows each measure over the reference score."""
    columns = ("model", "measure", "values", "Pearson", "Spearman", "AUC", "missed")
    rows = [
        (r.model, r.measure, str(r.count), number(r.pearson), number(r.spearman), number(r.auc), str(r.missed))
        for r in results
    ]
    centres = (np.arange(_LEVELS) + 0.5) / _LEVELS
    lines, top = {}, 1e-6
    for r in results:
        levels = np.array(r.levels)
        filled = ~np.isnan(levels)
        lines[f"{r.model}, {r.measure}"] = (centres[filled], levels[filled])
        top = max(top, *levels[filled].tolist())
    chart = Chart(title, "reference score", "mean of the measure", lines, 1.0, top)
    return Report(Sheet(title, columns, rows), [asdict(r) for r in results], chart, settings)


def _agreement(found: Predictions, measure: str, values: Float64, truth: Floats, positive: float) -> Agreement:
    level = np.clip((truth * _LEVELS).astype(int), 0, _LEVELS - 1)
    means = tuple(float(values[level == k].mean()) if (level == k).any() else float("nan") for k in range(_LEVELS))
    linear, ranked = correlation(values, truth), correlation(ranks(values), ranks(truth))
    auc = area_under_curve(values, np.asarray(truth >= positive))
    return Agreement(found.model, measure, len(truth), linear, ranked, auc, means, found.missed)


def _read_npz(path: Path) -> dict[str, list[Any]]:
    with open_npz(path, DataError, "not a readable .npz", "write it again") as archive:
        return {name: archive[name].tolist() for name in archive.files if archive[name].ndim == 1}


def _read_csv(path: Path) -> dict[str, list[Any]]:
    check_regular(path, DataError)
    with (
        reading(path, DataError, "not a readable CSV file", "write it again"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        header, *rows = [row for row in csv.reader(file) if row] or [[]]
    if any(len(row) != len(header) for row in rows):
        raise DataError(f"{path} has rows whose length differs from the header: write it again")
    return {name.strip(): [row[k].strip() for row in rows] for k, name in enumerate(header)}


def _score(value: Any) -> float:
    return float("nan") if value == "" else float(value)
