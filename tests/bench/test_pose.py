import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.align import FaceAligner
from ddfa.bench.pose import angle_difference, common_rotation, rotation_angle, score_pose, within
from ddfa.bench.predict import predict
from ddfa.bench.report import JSON_FILE
from ddfa.bench.sets import AnnotatedSet
from ddfa.cli import main
from ddfa.commands.bench.options import Protocol
from ddfa.commands.bench.pose import pose
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler


@given(st.floats(-180, 180), st.floats(-180, 180))
def test_differences_take_the_short_way_round(first, second):
    expected = min(abs(first - second + turn) for turn in (-360, 0, 360))
    np.testing.assert_allclose(angle_difference(np.array(first), np.array(second)), expected, atol=1e-9)


@given(st.integers(0, 500))
def test_a_common_rotation_is_found(seed):
    rng = np.random.default_rng(seed)
    truth, offset = matrix_from_euler(rng.uniform(-60, 60, (5, 3))), matrix_from_euler(rng.uniform(-60, 60, 3))
    np.testing.assert_allclose(common_rotation(truth @ offset.T, truth), offset, atol=1e-9)
    turn = matrix_from_euler(np.array([[0, 25.0, 0]]))
    np.testing.assert_allclose(rotation_angle(truth @ turn, truth), 25, atol=1e-5)


def test_scores(annotated, toy_bundle):
    data = AnnotatedSet.load(annotated)
    found = predict(FaceAligner(toy_bundle), data)
    offset = matrix_from_euler(np.array([0.0, 7, 0]))
    found = replace(found, rotation=matrix_from_euler(data.euler_deg) @ offset)
    plain = {score.what: score.errors for score in score_pose(found, data)}
    assert list(plain) == ["yaw", "pitch", "roll", "mean of angles", "rotation"]
    np.testing.assert_allclose(plain["rotation"], 7, atol=1e-3)
    for score in score_pose(found, data, align=True):
        np.testing.assert_allclose(score.errors, 0, atol=1e-3)


def test_faces_beyond_the_limit_are_left_out(annotated, toy_bundle, tmp_path):
    run = Protocol((str(toy_bundle.folder),), tmp_path / "out")
    assert pose(annotated, run) == 0
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert record["left_out"] == 1 and record["results"][0]["counts"] == [1, 1, 0]
    assert within(np.array([[99, -99, 0], [100, 0, 0], [np.nan, 0, 0], [0, np.nan, np.nan]]), 99).tolist() == [
        True, False, False, True,
    ]  # fmt: skip


def test_command_reads_mat_files_and_scores_known_angles_only(mat_folder, annotated, toy_bundle, tmp_path, capsys):
    assert main(["bench", "pose", str(toy_bundle.folder), "--data", str(mat_folder), "--aligned"]) == 0
    assert "pitch" in capsys.readouterr().out
    np.savez(annotated, names=["0.jpg"], yaw_deg=[4.0], landmarks68=np.random.default_rng(0).uniform(9, 99, (1, 68, 2)))
    assert pose(annotated, Protocol((str(toy_bundle.folder),))) == 0
    out = capsys.readouterr().out
    assert "yaw" in out and "pitch" not in out


def test_sets_without_pose(pts_folder, toy_bundle):
    with pytest.raises(DataError, match="has no pose"):
        pose(pts_folder, Protocol((str(toy_bundle.folder),)))
