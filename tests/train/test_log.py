"""The log of a training run."""

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.train.log import RunLog  # noqa: E402


def rows(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def run(log, first, last, value=1.0):
    for step in range(first + 1, last + 1):
        log.add(step, 0.5, {"loss": torch.tensor(value + step % 2)})


def test_rows_are_means_over_a_hundred_steps(tmp_path):
    log = RunLog(tmp_path, 0, 4, tensorboard=False)
    log.validated(50, {"nme": 3.5, "other": 1.0}, np.zeros((8, 8, 3), np.uint8))
    run(log, 0, 250)
    assert log.line == "loss 1.5000  nme 3.5000" and (tmp_path / "preview.jpg").is_file()
    log.close(250, 0.5)
    found = rows(tmp_path)
    assert [row["step"] for row in found] == ["100", "200", "250"]
    assert {row["loss"] for row in found} == {"1.5"} and found[0]["nme"] == "3.5" and found[0]["rate"] == "0.5"


def test_a_resumed_run_drops_later_rows(tmp_path):
    log = RunLog(tmp_path, 0, 4, tensorboard=False)
    run(log, 0, 300)
    log = RunLog(tmp_path, 200, 4, tensorboard=False)
    run(log, 200, 300, value=7.0)
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [("100", "1.5"), ("200", "1.5"), ("300", "7.5")]


def test_a_loss_that_is_not_finite_is_an_error(tmp_path):
    with pytest.raises(DataError, match="not finite at step 100"):
        run(RunLog(tmp_path, 0, 4, tensorboard=False), 0, 100, value=float("nan"))
