import json

import numpy as np
import pytest

from ddfa.bench.chart import Chart, cumulative_chart, cumulative_curve, draw_chart
from ddfa.bench.report import CHART_FILE, JSON_FILE, MARKDOWN_FILE, Report, Scores
from ddfa.errors import OutputError
from ddfa.images import read_image


def scores(model="a|b", what=""):
    return Scores(model, np.array([1.0, 3.0, 4.0]), np.array([0.0, 20.0, 70.0]), 1, what)


def test_missed_faces_are_failures_of_the_curve():
    x, y = cumulative_curve(np.array([3.0, 1.0]), 2)
    assert x.tolist() == [0, 1, 3] and y.tolist() == [0, 25, 50]


def test_table_markdown_and_json_say_the_same(tmp_path):
    report = Report.of_scores("NME % on x", "NME %", [scores(), scores(what="jaw")], {"data": "x"})
    assert report.sheet.columns[:2] == ("model", "of") and report.sheet.table().row_count == 2
    report.save(tmp_path / "new" / "out")
    record = json.loads((tmp_path / "new" / "out" / JSON_FILE).read_text())
    first = record["results"][0]
    assert first["bins"] == [2.0, None, 4.0] and first["mean"] == 3 and first["std"] == 1 and first["missed"] == 1
    lines = (tmp_path / "new" / "out" / MARKDOWN_FILE).read_text().splitlines()
    assert lines[0] == "NME % on x"
    assert lines[4] == "| a\\|b |  | 2.00 | - | 4.00 | 3.00 | 1.00 | 2.67 | 1.25 | 1 |"
    assert read_image(tmp_path / "new" / "out" / CHART_FILE).shape == (520, 760, 3)


def test_curves_have_colours_of_their_own_and_stay_inside():
    chart = cumulative_chart("t", "NME %", {"a": (np.array([1.0, 2.0, 90.0]), 0), "b": (np.array([1.5]), 3)})
    image = draw_chart(chart)
    assert (image == (0, 114, 178)).all(axis=-1).any() and (image == (213, 94, 0)).all(axis=-1).any()
    assert (image[:, -20:] == 255).all()


@pytest.mark.parametrize("end", [1e-6, 0.013, 1.0, 8.7, 100.0, 12345.0])
def test_any_range_can_be_drawn(end):
    lines = {"a": (np.linspace(0, end, 5), np.linspace(0, 1, 5)), "none": (np.zeros(0), np.zeros(0))}
    assert draw_chart(Chart("t", "x", "y", lines, end, 1.0)).shape == (520, 760, 3)


def test_without_any_face():
    empty = Scores("a", np.zeros(0), np.zeros(0), 4)
    report = Report.of_scores("t", "NME %", [empty], {})
    assert report.sheet.rows[0][1:] == ("-",) * 7 + ("4",)
    draw_chart(report.chart)


def test_unwritable_output(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot create the folder"):
        Report.of_scores("t", "NME %", [scores()], {}).save(tmp_path / "file" / "out")
