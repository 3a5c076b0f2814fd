import json
import shutil
import tarfile
from io import BytesIO

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.landmarks import AnnotatedSet, evaluate
from ddfa.commands.bench import landmarks
from ddfa.detect.yunet import YuNet
from ddfa.errors import DataError


@pytest.fixture
def annotated(tmp_path):
    """Three flat pictures with random landmarks."""
    rng = np.random.default_rng(0)
    names = [f"{k}.jpg" for k in range(3)]
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for name in names:
            content = cv2.imencode(".jpg", rng.integers(0, 256, (150, 150, 3), np.uint8))[1].tobytes()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    points = rng.uniform(20, 120, (3, 68, 3)).astype(np.float32)
    np.savez(tmp_path / "set.npz", names=names, landmarks68=points, yaw_deg=np.array([0, 45, 80], np.float32))
    return tmp_path / "set.npz"


def test_command_prints_a_table_and_writes_json(annotated, toy_bundle, tmp_path, capsys):
    folder = str(toy_bundle.folder)
    assert landmarks(annotated, (folder, folder), output=tmp_path / "out.json") == 0
    assert capsys.readouterr().out.count("toy") == 2
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["models"][0]["nme"]["counts"] == [1, 1, 1] and record["data"] == "set"


def test_missed_faces_are_counted(annotated, toy_bundle):
    aligner = FaceAligner(toy_bundle, YuNet(score_threshold=0.9))
    result = evaluate(aligner, AnnotatedSet.load(annotated), detected=True)
    assert result.missed == 3 and np.isnan(result.nme.mean)


def test_damaged_sets(annotated, tmp_path):
    with pytest.raises(DataError, match="not an annotated set"):
        AnnotatedSet.load(tmp_path / "none.npz")
    shutil.copy(annotated, tmp_path / "alone.npz")
    with pytest.raises(DataError, match=r"alone\.tar"):
        AnnotatedSet.load(tmp_path / "alone.npz")
    np.savez(annotated, names=["a"], landmarks68=np.zeros((2, 68, 3)), yaw_deg=np.zeros(1))
    with pytest.raises(DataError, match=r"\(2, 68, 3\)"):
        AnnotatedSet.load(annotated)


# The published figures, for the whole sets: bins, mean of bins, mean of faces.
EXACT = {"v2_mb1": (2.74, 3.66, 4.24, 3.55, 3.15), "v2_mb05": (2.72, 3.59, 4.17, 3.49, 3.11)}
DETECTED = {"v2_mb1": (3.58, 3.17), "v2_mb05": (3.72, 3.23)}


@pytest.mark.parametrize("model", EXACT)
def test_published_figures_on_the_exact_set(request, shared_data, model):
    aligner = FaceAligner(request.getfixturevalue(model))
    result = evaluate(aligner, AnnotatedSet.load(shared_data / "eval" / "aflw2000_exact.npz"))
    figures = (*result.nme.bins, result.nme.mean, result.nme.plain)
    np.testing.assert_allclose(figures, EXACT[model], atol=0.03)


@pytest.mark.parametrize("model", DETECTED)
def test_published_figures_with_detection(request, shared_data, model):
    aligner = FaceAligner(request.getfixturevalue(model), YuNet(score_threshold=0.5))
    data = AnnotatedSet.load(shared_data / "eval" / "aflw2000_exact.npz")
    result = evaluate(aligner, data, detected=True)
    assert result.missed == 0
    np.testing.assert_allclose((result.nme.mean, result.nme.plain), DETECTED[model], atol=0.03)
