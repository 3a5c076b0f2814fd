"""What the benchmark commands share: names of models, titles of reports, files."""

import json
import shutil

import numpy as np
import pytest

from ddfa.bench.machine import machine_sheet
from ddfa.bench.report import CHART_FILE, JSON_FILE, MARKDOWN_FILE, Scores
from ddfa.commands.bench.options import Models, Protocol, progress


def test_bundles_of_one_name_are_told_apart_by_their_folders(toy_bundle, tmp_path) -> None:
    folders = [str(shutil.copytree(toy_bundle.folder, tmp_path / name)) for name in ("a", "b")]
    assert [aligner.bundle.name for aligner in Models((folders[0],), threads=1).aligners()] == ["toy"]
    assert [aligner.bundle.name for aligner in Models(tuple(folders), threads=1).aligners()] == folders


@pytest.mark.parametrize(
    ("detected", "aligned", "how"),
    [(False, False, "RoI from true landmarks"), (True, True, "detected, two steps, aligned")],
)
def test_reports_state_the_protocol(detected: bool, aligned: bool, how: str, tmp_path, capsys) -> None:
    run = Protocol(output=tmp_path, detected=detected, aligned=aligned)
    scores = [Scores("toy", np.array([1.0, 3.0]), np.array([0.0, 40.0]), missed=1)]
    assert run.finish(run.report("NME %", "set", 3, scores, points=68)) == 0
    printed = capsys.readouterr().out
    assert f"NME % on set (3 faces; {how})" in printed and "2.00" in printed
    record = json.loads((tmp_path / JSON_FILE).read_text())
    assert (record["detected"], record["aligned"], record["points"]) == (detected, aligned, 68)
    assert {path.name for path in tmp_path.iterdir()} == {JSON_FILE, MARKDOWN_FILE, CHART_FILE}


def test_progress_passes_items_on() -> None:
    assert list(progress("toy")(range(3))) == [0, 1, 2]


def test_the_machine_is_described() -> None:
    rows = dict(machine_sheet().rows)
    assert rows["NumPy"] == np.__version__ and rows["processor"]
