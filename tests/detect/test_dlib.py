"""The dlib extra: with a fake of the library, and with the library if it is installed."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ddfa.detect import load_detector
from ddfa.errors import DetectorError
from ddfa.images import read_image


def fake_dlib() -> SimpleNamespace:
    """A module that behaves like dlib on an image with two faces."""

    def rectangle(left: int, top: int, right: int, bottom: int) -> SimpleNamespace:
        return SimpleNamespace(left=lambda: left, top=lambda: top, right=lambda: right, bottom=lambda: bottom)

    class Predictor:
        def __init__(self, path: str) -> None:
            if "bad" in path:
                raise RuntimeError("deserialization failed")

        def __call__(self, image: np.ndarray, box: SimpleNamespace) -> SimpleNamespace:
            return SimpleNamespace(parts=lambda: [SimpleNamespace(x=box.left() + k, y=box.top()) for k in range(68)])

    found = ([rectangle(0, 0, 10, 10), rectangle(20, 20, 60, 60)], [0.0, 2.0], [0, 0])
    detector = SimpleNamespace(run=lambda image, upsamplings, threshold: found)
    return SimpleNamespace(get_frontal_face_detector=lambda: detector, shape_predictor=Predictor)


def test_boxes_and_landmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", fake_dlib())
    (tmp_path / "68.dat").touch()
    image = np.zeros((80, 80, 3), np.uint8)
    assert load_detector("dlib")(image).landmarks is None
    found = load_detector(f"dlib:{tmp_path / '68.dat'}")(image)
    np.testing.assert_array_equal(found.boxes, [[20, 20, 60, 60], [0, 0, 10, 10]])
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2)), 0.5], rtol=1e-6)
    assert found.landmarks is not None and found.landmarks[0, 67].tolist() == [87, 20]


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DetectorError, match=r"openddfa\[dlib\]"):
        load_detector("dlib")


def test_bad_landmark_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", fake_dlib())
    (tmp_path / "bad.dat").touch()
    with pytest.raises(DetectorError, match="not found"):
        load_detector(f"dlib:{tmp_path / 'missing.dat'}")
    with pytest.raises(DetectorError, match="not a dlib shape predictor"):
        load_detector(f"dlib:{tmp_path / 'bad.dat'}")


def test_real_library(root: Path) -> None:
    pytest.importorskip("dlib", reason="needs the extra: pip install 'openddfa[dlib]'")
    found = load_detector("dlib")(read_image(root / "samples" / "grace_hopper.jpg"))
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], [180, 139, 366, 325], atol=8)
