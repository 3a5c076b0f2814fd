import json

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.unit_photos import UnitPhotos, render_units
from ddfa.bench.units import (
    gaze_angles_deg,
    gaze_directions,
    predict_units,
    score_units,
    summary_sheet,
    units_report,
    units_sheet,
    wink_score,
)
from ddfa.cli import main
from ddfa.data.regions.labels import neutral_faces
from ddfa.errors import DataError
from ddfa.head.open import load_open_head

NAMES = load_open_head().expression_names


def _scores(n: int = 400) -> np.ndarray:
    """Scores (n, 52) of units that move on their own, the first quarter of the faces neutral."""
    scores = np.random.default_rng(0).beta(0.5, 2.0, (n, 52))
    scores[: n // 4] *= 0.02
    scores[:, NAMES.index("tongueOut")] = 0
    return scores


def test_the_teacher_agrees_with_itself():
    result = score_units("teacher", NAMES, _scores(), _scores())
    assert result.median_r == result.median_r_difference == pytest.approx(1)
    assert result.gaze_deg == pytest.approx(0, abs=1e-6)
    assert result.winks.recognised == result.winks.blinks_recognised == 1
    unscored = [unit.name for unit in result.units if not unit.scored]
    assert unscored == ["tongueOut"]
    assert result.largest_neutral < 0.02


def test_slope_and_offset_are_measured():
    teacher = _scores()
    result = score_units("shrunk", NAMES, 0.1 + 0.3 * teacher, teacher)
    jaw = result.units[NAMES.index("jawOpen")]
    assert jaw.r == pytest.approx(1) and jaw.slope == pytest.approx(0.3)
    assert jaw.neutral == pytest.approx(0.1, abs=0.01)
    assert np.isnan(jaw.r_difference)
    low, high = np.quantile(0.1 + 0.3 * teacher[:, NAMES.index("jawOpen")], [0.025, 0.975])
    assert (jaw.low, jaw.high) == pytest.approx((low, high))


def test_a_symmetric_model_has_no_correlation_of_differences():
    teacher = _scores()
    predicted = teacher.copy()
    for name in NAMES:
        if name.endswith("Left"):
            pair = [NAMES.index(name), NAMES.index(name.replace("Left", "Right"))]
            predicted[:, pair] = teacher[:, pair].mean(axis=1, keepdims=True)
    result = score_units("symmetric", NAMES, predicted, teacher)
    assert result.median_r_difference == 0
    assert result.winks.recognised == 0 and result.winks.blinks_recognised == 1


def test_winks_are_recognised_if_the_same_eye_is_closed_more():
    teacher = np.array([[0.8, 0.1], [0.1, 0.8], [0.8, 0.1], [0.8, 0.8], [0.7, 0.7], [0.0, 0.0]])
    predicted = np.array([[0.5, 0.2], [0.5, 0.2], [0.22, 0.2], [0.5, 0.5], [0.5, 0.3], [0.0, 0.3]])
    score = wink_score(predicted, teacher)
    assert (score.winks, score.recognised, score.blinks, score.blinks_recognised) == (3, pytest.approx(1 / 3), 2, 0.5)


@pytest.mark.parametrize(
    ("units", "eye", "direction"),
    [
        ({"eyeLookOutLeft": 1.0}, 0, [0.5, 0, 0.866]),
        ({"eyeLookInRight": 1.0}, 1, [0.5, 0, 0.866]),
        ({"eyeLookOutRight": 1.0}, 1, [-0.5, 0, 0.866]),
        ({"eyeLookUpLeft": 1.0}, 0, [0, 0.342, 0.940]),
        ({"eyeLookDownRight": 1.0}, 1, [0, -0.423, 0.906]),
    ],
)
def test_gaze_directions_are_those_of_the_eyes_of_the_head(units, eye, direction):
    values = np.zeros((1, 52))
    for name, value in units.items():
        values[0, NAMES.index(name)] = value
    directions = gaze_directions(NAMES, values)
    np.testing.assert_allclose(directions[0, eye], direction, atol=1e-3)
    np.testing.assert_allclose(directions[0, 1 - eye], [0, 0, 1], atol=1e-6)


def test_gaze_angle_is_that_between_the_directions():
    values = np.zeros((2, 52))
    values[1, NAMES.index("eyeLookOutLeft")] = 0.5
    directions = gaze_directions(NAMES, values)
    assert gaze_angles_deg(directions[0], directions[1]) == pytest.approx([15, 0])


def test_gaze_constants_are_those_of_the_open_head():
    head = load_open_head()
    iris = head.regions["iris_left"]
    for unit, degrees in (("eyeLookInLeft", 30), ("eyeLookUpLeft", 20), ("eyeLookDownLeft", 25)):
        moved = head.expression_basis[NAMES.index(unit)][iris].mean(axis=0)
        half = np.rad2deg(np.arctan2(-moved[2], np.hypot(moved[0], moved[1])))
        assert 2 * half == pytest.approx(degrees, abs=0.1)


def test_faces_that_smile_or_close_their_eyes_are_not_neutral():
    teacher = np.zeros((3, 52))
    teacher[1, NAMES.index("mouthSmileLeft")] = 0.4
    teacher[2, NAMES.index("eyeBlinkRight")] = 0.6
    np.testing.assert_array_equal(neutral_faces(NAMES, teacher), [True, False, False])


def test_tables_have_a_row_each():
    scores = [score_units(name, NAMES, _scores(), _scores()) for name in ("one", "two")]
    units = units_sheet("units", scores[0])
    assert len(units.rows) == 52 and all(len(row) == len(units.columns) for row in units.rows)
    report = units_report(scores, "drawn", {"faces": 400})
    assert [entry["model"] for entry in report.record] == ["one", "two"] and len(report.sheets) == 3
    assert set(report.chart.lines) == {"one", "two"}
    summary = summary_sheet("summary", scores)
    assert [row[0] for row in summary.rows] == ["one", "two"]
    assert all(len(row) == len(summary.columns) for row in summary.rows)


def test_units_out_of_view_do_not_count():
    truth, predicted, seen = _scores(), _scores(), np.ones((400, 52), bool)
    left, right = NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")
    predicted[:200, left] = 0.0
    seen[:200, left] = False
    result = score_units("half", NAMES, predicted, truth, seen)
    assert [result.units[left].r, result.units[left].r_difference] == pytest.approx([1, 1])
    assert result.winks.recognised == result.winks.blinks_recognised == 1
    seen[:, right] = False
    hidden = score_units("one eye", NAMES, predicted, truth, seen)
    assert not hidden.units[right].scored and np.isnan(hidden.units[right].r)
    assert hidden.winks.winks == hidden.winks.blinks == 0
    assert summary_sheet("summary", [hidden]).rows[0][0] == "one eye"


def test_blendshapes_are_predicted_for_all_photos():
    aligner = FaceAligner(threads=1, regions=False)
    face = load_open_head().landmark_points.mean[:, :2] * [0.4, -0.4] + 48
    images = [np.full((96, 96, 3), value, np.uint8) for value in (0, 90)]
    photos = UnitPhotos(images, np.stack([face, face + 3]), np.zeros((2, 52)), np.ones((2, 52), bool), np.zeros(2))
    watched = []

    def watch(numbers):
        watched.extend(numbers)
        return numbers

    result = predict_units(aligner, photos, watch)
    assert result.shape == (2, 52) and watched == [0, 1]
    np.testing.assert_array_equal(result[1], aligner(images[1], landmarks=face[None] + 3).blendshapes[0])


def test_rendered_faces_are_repeatable_and_labelled():
    head = load_open_head()
    photos, again, other = (render_units(head, 2, None, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(photos.images[1], again.images[1])
    assert (photos.images[1] != other.images[1]).any()
    assert photos.units.shape == photos.seen.shape == (2, 52)
    side = len(photos.images[0])
    assert (photos.landmarks > 0).all() and (photos.landmarks < side).all()  # the face is in the image
    with pytest.raises(DataError, match="at least one"):
        render_units(head, 0, None, 0)


def test_command_measures_rendered_faces(tmp_path, capsys):
    assert main(["bench", "units", "default", "--rendered", "8", "--threads", "1", "--output", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert [entry["model"] for entry in found["results"]] == ["default", "default with regions"]
    assert "rendered faces" in capsys.readouterr().out
    assert main(["bench", "units", "default"]) == 2
    assert "--data FOLDER" in capsys.readouterr().err
