"""The log of a training run: `log.csv`, TensorBoard, and a line beside the progress bar."""

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from ddfa.arrays import UInt8
from ddfa.bench.report import Sheet
from ddfa.errors import DataError
from ddfa.files import write_atomically

_EVERY = 100
_FILE = "log.csv"
_SHOWN = ("nme", "overlap")  # figures shown beside the progress bar
PREVIEW, UNITS = "preview.jpg", "units.csv"


class RunLog:
    """Running means of the loss terms, a row every hundred steps.

    Args:
        folder: the run folder.
        step: where the run continues; later rows of an interrupted run are dropped.
        batch: crops per step.
        tensorboard: whether to write for TensorBoard as well.
    """

    def __init__(self, folder: Path, step: int, batch: int, tensorboard: bool) -> None:
        self.line = ""
        self._folder, self._batch = folder, batch
        self._rows = _rows_until(folder / _FILE, step)
        self._sums, self._count = dict[str, Tensor](), 0
        self._figures = dict[str, float]()
        self._began = time.monotonic(), step
        self._board = _open_board(folder, step) if tensorboard else None

    def add(self, step: int, lr: float, terms: dict[str, Tensor]) -> None:
        """Add the loss terms of a completed step.

        Raises:
            DataError: the loss is not finite.
        """
        for name, value in terms.items():  # kept on the device: reading a value would synchronise with it
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
        self._count += 1
        if step % _EVERY == 0:
            self._write(step, lr)

    def validated(
        self, step: int, figures: dict[str, float], image: UInt8 | None = None, units: Sheet | None = None
    ) -> None:
        """Add the figures of a validation, which appear in the next row.

        Args:
            step: at which it was done.
            figures: by name.
            image: the preview, (h, w, 3) uint8 RGB.
            units: a table of the expression units.
        """
        self._figures = figures
        if image is not None:
            coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
            write_atomically(self._folder / PREVIEW, coded.tobytes())
        if units is not None:
            rows = [dict(zip(units.columns, row, strict=True)) for row in units.rows]
            write_atomically(self._folder / UNITS, _as_csv(rows))
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(f"validation/{name}", value, step)
            if image is not None:
                self._board.add_image("preview", image, step, dataformats="HWC")
            self._board.flush()

    def close(self, step: int, lr: float) -> None:
        """Write the steps since the last row."""
        if self._count:
            self._write(step, lr)
        if self._board is not None:
            self._board.close()

    def _write(self, step: int, lr: float) -> None:
        means = {name: float(total) / self._count for name, total in self._sums.items()}
        if not all(map(math.isfinite, means.values())):
            raise DataError(f"the loss is not finite at step {step}: resume with a lower --lr or in float32")
        began, first = self._began
        speed = (step - first) * self._batch / (time.monotonic() - began)
        row = {"step": step, "rate": lr, **means, **self._figures, "samples_per_second": speed}
        self._rows.append({name: f"{value:.6g}" for name, value in row.items()})
        write_atomically(self._folder / _FILE, _as_csv(self._rows))
        if self._board is not None:
            for name, value in means.items():
                self._board.add_scalar(f"loss/{name}", value, step)
            self._board.add_scalar("rate", lr, step)
            self._board.add_scalar("samples_per_second", speed, step)
        shown = means | {name: value for name, value in self._figures.items() if name in _SHOWN}
        self.line = "  ".join(f"{name} {value:.4f}" for name, value in shown.items())
        self._sums, self._count = {}, 0


def _rows_until(path: Path, step: int) -> list[dict[str, str]]:
    """The rows of a run up to a step; none for a new run."""
    return [row for row in read_rows(path) if int(row["step"]) <= step] if step else []


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of a run; none if there is no such file."""
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return []


def _as_csv(rows: list[dict[str, str]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _open_board(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)
