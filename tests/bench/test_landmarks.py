import json

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.landmarks import LandmarkOptions, evaluate, landmark_errors
from ddfa.bench.predict import detect_face, predict
from ddfa.bench.report import CHART_FILE, JSON_FILE, MARKDOWN_FILE
from ddfa.bench.sets import AnnotatedSet
from ddfa.cli import main
from ddfa.commands.bench.landmarks import landmarks
from ddfa.commands.bench.options import Protocol
from ddfa.detect import Detections
from ddfa.detect.detections import box_overlap
from ddfa.detect.yunet import YuNet
from ddfa.errors import DataError
from ddfa.images import read_image


def test_command_prints_a_table_and_writes_files(annotated, toy_bundle, tmp_path, capsys):
    folder = str(toy_bundle.folder)
    words = ["bench", "landmarks", folder, folder, "--data", str(annotated), "--output", str(tmp_path / "out")]
    assert main(words) == 0
    assert capsys.readouterr().out.count("toy") == 2
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert record["results"][0]["counts"] == [1, 1, 1] and record["data"] == "set" and not record["detected"]
    assert (tmp_path / "out" / MARKDOWN_FILE).read_text().count("| toy |") == 2
    assert read_image(tmp_path / "out" / CHART_FILE).shape == (520, 760, 3)


def test_folders_of_pts_files(pts_folder, toy_bundle, tmp_path):
    run = Protocol((str(toy_bundle.folder),), tmp_path / "out", aligned=True)
    assert landmarks(pts_folder, run, inner=True, normaliser="eyes") == 0
    (result,) = json.loads((tmp_path / "out" / JSON_FILE).read_text())["results"]
    assert result["mean"] is None and result["plain"] > 0 and result["counts"] == [0, 0, 0]


def test_missed_faces_are_counted(annotated, toy_bundle):
    aligner = FaceAligner(toy_bundle, YuNet(score_threshold=0.9))
    result = evaluate(aligner, AnnotatedSet.load(annotated), detected=True)
    assert result.missed == 3 and np.isnan(result.summary.mean)


def test_detection_takes_the_face_at_the_true_landmarks(toy_bundle):
    boxes = np.array([[0, 0, 100, 100], [120, 20, 160, 60]], np.float32)
    aligner = FaceAligner(toy_bundle, lambda image: Detections.from_boxes(boxes))
    image = np.zeros((200, 200, 3), np.uint8)
    near = np.array([[125, 25], [150, 50]], np.float32)
    np.testing.assert_array_equal(detect_face(aligner, image, near).boxes, boxes[1:])
    np.testing.assert_array_equal(detect_face(aligner, image).boxes, boxes[:1])
    assert len(detect_face(aligner, image, near + 1000)) == 0


def test_box_overlap():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]])
    np.testing.assert_allclose(box_overlap(boxes, np.array([0, 0, 2, 2])), [1, 1 / 7, 0])


def test_unknown_landmarks_need_detection(annotated, toy_bundle):
    np.savez(annotated, names=["0.jpg"], yaw_deg=[0.0])
    with pytest.raises(DataError, match="--detected"):
        predict(FaceAligner(toy_bundle), AnnotatedSet.load(annotated))


def test_options():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (2, 68, 2))
    predicted = truth.copy()
    predicted[:, :17] += 50
    assert landmark_errors(predicted, truth, LandmarkOptions(inner=True)).max() == 0
    shifted = truth + np.array([3, 4])
    by_eyes = landmark_errors(shifted, truth, LandmarkOptions(normaliser="eyes"))
    np.testing.assert_allclose(by_eyes, 500 / np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1))
    assert landmark_errors(2 * shifted, truth, LandmarkOptions(aligned=True)).max() < 1e-9
    with pytest.raises(DataError, match="all at one point"):
        landmark_errors(truth, np.zeros_like(truth), LandmarkOptions())


# The published figures, for the whole sets: bins, mean of bins, mean of faces.
EXACT = {"v2_mb1": (2.74, 3.66, 4.24, 3.55, 3.15), "v2_mb05": (2.72, 3.59, 4.17, 3.49, 3.11)}
DETECTED = {"v2_mb1": (3.58, 3.17), "v2_mb05": (3.72, 3.23)}


@pytest.mark.parametrize("model", EXACT)
def test_published_figures_on_the_exact_set(request, shared_data, model):
    aligner = FaceAligner(request.getfixturevalue(model), any_roll=False)
    result = evaluate(aligner, AnnotatedSet.load(shared_data / "eval" / "aflw2000_exact.npz")).summary
    figures = (*result.bins, result.mean, result.plain)
    np.testing.assert_allclose(figures, EXACT[model], atol=0.03)


@pytest.mark.parametrize("model", DETECTED)
def test_published_figures_with_detection(request, shared_data, model):
    aligner = FaceAligner(request.getfixturevalue(model), YuNet(score_threshold=0.5), any_roll=False)
    data = AnnotatedSet.load(shared_data / "eval" / "aflw2000_exact.npz")
    result = evaluate(aligner, data, detected=True)
    assert result.missed == 0
    np.testing.assert_allclose((result.summary.mean, result.summary.plain), DETECTED[model], atol=0.03)
