"""Training curves: the logs of several runs in one image."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddfa.arrays import Float64, UInt8
from ddfa.bench.chart import Chart, draw_chart
from ddfa.errors import DataError, reading
from ddfa.files import check_regular
from ddfa.text_files import read_yaml

LOG_FILE, SETTINGS_FILE = "log.csv", "config.yaml"
# Figures of held-out photos, shown first; every other column is a loss term.
_MEASURED = {
    "nme": "NME on held-out photos, %",
    "aperture_error": "aperture error on held-out photos, %",
    "unit_r": "blendshapes of held-out photos, median r",
    "difference_r": "left minus right of these, median r",
}
_NOT_DRAWN = ("step", "rate", "samples_per_second")
_COLUMNS, _SIZE = 2, (620, 400)
_HEADROOM = 1.5


@dataclass(frozen=True, eq=False)
class RunCurves:
    """The log of one training run.

    Attributes:
        name: the last two parts of the run folder's path.
        curves: name of a column -> number of training samples, thousands, and value; (m,) each.
    """

    name: str
    curves: dict[str, tuple[Float64, Float64]]

    @staticmethod
    def load(folder: Path) -> "RunCurves":
        """Read the log of a run folder.

        Raises:
            DataError: it is not a run folder, or its files are damaged.
        """
        settings = read_yaml(folder / SETTINGS_FILE, DataError)
        check_regular(folder / LOG_FILE, DataError)
        with reading(folder, DataError, "not the folder of a training run", "name one"):
            batch = int(settings.get("batch_size") or settings["batch"])  # named `batch` up to 0.1
            with (folder / LOG_FILE).open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            names = [name for name in (rows[0] if rows else {}) if name not in _NOT_DRAWN]
            crops = np.array([int(row["step"]) for row in rows]) * batch / 1000
            values = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
        if not rows:
            raise DataError(f"{folder / LOG_FILE} is empty: wait for the first hundred steps of the run")
        curves = {name: _measured(crops, y) for name, y in values.items()}
        return RunCurves("/".join(folder.resolve().parts[-2:]), curves)


def draw_curves(runs: Sequence[RunCurves]) -> UInt8:
    """Draw one chart per logged quantity, (H, W, 3) uint8 RGB, with all runs that logged it."""
    logged = dict.fromkeys(name for run in runs for name in run.curves)
    names = [*(name for name in _MEASURED if name in logged), *(name for name in logged if name not in _MEASURED)]
    tiles = [draw_chart(_chart(name, runs), _SIZE) for name in names]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    rows = [np.concatenate(tiles[k : k + _COLUMNS], axis=1) for k in range(0, len(tiles), _COLUMNS)]
    return np.concatenate(rows)


def _chart(name: str, runs: Sequence[RunCurves]) -> Chart:
    """The range covers the second half of each run: the first steps would dominate it."""
    curves = {run.name: run.curves[name] for run in runs if len(run.curves.get(name, ((),))[0])}
    top = max((float(y[len(y) // 2 :].max()) for _, y in curves.values()), default=0.0)
    top = max(_HEADROOM * top, 1e-6)
    x_end = max((float(x[-1]) for x, _ in curves.values()), default=1.0)
    lines = {run: (x[y <= top], y[y <= top]) for run, (x, y) in curves.items()}
    return Chart(_MEASURED.get(name, f"loss: {name}"), "training samples, thousands", "", lines, x_end, top)


def _measured(crops: Float64, values: Float64) -> tuple[Float64, Float64]:
    """The entries with a new value: the log repeats the results of a validation until the next one."""
    known = ~np.isnan(values)
    x, y = crops[known], values[known]
    new = np.diff(y, prepend=np.inf) != 0
    return x[new], y[new]
