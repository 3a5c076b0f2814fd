import hashlib
import json

import cv2
import numpy as np
import pytest

from ddfa.data.sets.contact_sheet import ShowConfig, contact_sheet, ranked_by
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import MANIFEST_FILE, write_manifest
from ddfa.errors import DataError


@pytest.fixture
def labels(head):
    pose = np.tile(np.array([[0.25, 0, 0, 50], [0, -0.25, 0, 50], [0, 0, 0.25, 0]], np.float32), (3, 1, 1))
    expression = np.zeros((3, 52), np.float32)
    expression[1, head.expression_names.index("eyeBlinkLeft")] = 0.8
    expression[2, [head.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 0.9
    names, fit_error = ("a.png", "b.png", "c.png"), np.array([0.1, 0.2, 0.3], np.float32)
    return Labels(names, pose, np.zeros((3, 80), np.float32), expression, fit_error, head.name)


@pytest.fixture
def folder(tmp_path, labels):
    for grey, name in zip((40, 120, 200), labels.names, strict=True):
        cv2.imwrite(str(tmp_path / name), np.full((100, 100, 3), grey, np.uint8))
    labels.save(tmp_path / LABEL_FILE)
    (tmp_path / PHOTO_LINK).write_text(f"{tmp_path}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("by", "first"), [("fit_error", 2), ("eyeBlinkRight", 2), ("asymmetry", 1), ("eyeBlinkLeft", 2)]
)
def test_extremes_come_first(head, labels, by, first):
    assert np.argmax(ranked_by(labels, head, by)) == first


def test_unknown_order_names_the_choices(head, labels):
    with pytest.raises(DataError, match=r"'eyeBlink'.*asymmetry.*eyeBlinkLeft"):
        ranked_by(labels, head, "eyeBlink")


@pytest.mark.parametrize("mesh", [False, True])
def test_sheet_shows_the_faces_in_order(folder, mesh):
    sheet = contact_sheet(ShowConfig(folder, by="fit_error", count=2, columns=2, tile=64, mesh=mesh))
    assert sheet.shape == (64, 128, 3)
    assert sheet[-2, 2].mean() == pytest.approx(200, abs=2) and sheet[-2, -2].mean() == pytest.approx(120, abs=2)


def test_last_row_is_filled_up(folder):
    assert contact_sheet(ShowConfig(folder, columns=2, tile=64)).shape == (128, 128, 3)


def test_sheet_of_nothing_is_refused(folder):
    with pytest.raises(DataError, match="at least 1"):
        contact_sheet(ShowConfig(folder, count=0))


def test_manifest_explains_the_folder(folder, labels):
    write_manifest(folder, "ddfa data test", labels, {"chunk": 3}, seed=1, counts={"rejected": 2})
    content = json.loads((folder / MANIFEST_FILE).read_text())
    assert (content["pictures"], content["sources"], content["rejected"], content["seed"]) == (3, 3, 2, 1)
    assert content["labels_sha256"] == hashlib.sha256((folder / LABEL_FILE).read_bytes()).hexdigest()


def test_manifest_of_no_labels_is_refused(tmp_path, labels):
    with pytest.raises(DataError, match="has no"):
        write_manifest(tmp_path, "ddfa data test", labels, {})
