import json

import cv2
import numpy as np
import pytest

from ddfa.bench.apertures import (
    aperture_agreements,
    apertures_from_faces,
    apertures_from_labels,
    blink_curve,
    held_out_photos,
    joined,
)
from ddfa.bench.report import JSON_FILE, MARKDOWN_FILE
from ddfa.cli import main
from ddfa.commands.bench.apertures import apertures
from ddfa.commands.bench.options import Models
from ddfa.data.pseudo_labels.mesh_points import OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK, held_out_indices
from ddfa.data.sets.labels import Labels
from ddfa.errors import DataError
from ddfa.head.model import HeadModel

COUNT = 6


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


@pytest.fixture
def blinking(tmp_path, head):
    """A labelled data set: noise, whose labels close the eyes and open the mouth one photo after the other."""
    names = tuple(f"{k}.png" for k in range(COUNT))
    for k, name in enumerate(names):
        noise = np.random.default_rng(k).integers(0, 256, (160, 160, 3), np.uint8)
        cv2.imwrite(str(tmp_path / name), noise)
    expression = np.zeros((COUNT, 52), np.float32)
    for name in ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen"):
        expression[:, head.expression_names.index(name)] = np.linspace(0, 1, COUNT)
    pose = np.zeros((COUNT, 3, 4), np.float32)
    pose[:, :, :3], pose[:, :2, 3] = np.diag([0.6, -0.6, 0.6]), 80
    folder = tmp_path / "real"
    labels = Labels(names, pose, np.zeros((COUNT, 80), np.float32), expression, np.zeros(COUNT, np.float32), head.name)
    labels.save(folder / LABEL_FILE)
    (folder / PHOTO_LINK).write_text("..\n")
    return folder


def test_labels_say_what_they_show(blinking):
    said = apertures_from_labels(held_out_photos(blinking, 1.0))
    np.testing.assert_allclose(said["eyeBlink"], np.linspace(0, 1, COUNT), atol=1e-6)
    assert (np.diff(said["lid gap"]) < 0).all() and (np.diff(said["mouth gap"]) > 0).all()
    assert 3 < said["lid gap, left"][0] < 10 and said["lid gap, right"][-1] < 1.5


def test_only_held_out_photos_count(blinking):
    names = tuple(f"{k}.png" for k in range(COUNT))
    aside = held_out_photos(blinking, 0.5)
    assert aside.labels.names == tuple(np.array(names)[held_out_indices(names, 0.5)])
    with pytest.raises(DataError, match="has no held-out photos"):
        held_out_photos(blinking, 1e-9)
    with pytest.raises(DataError, match="name the data sets"):
        apertures((), Models())


def test_a_head_without_face_units_shows_gaps_only():
    said = apertures_from_faces(np.zeros((2, 10)), [], np.zeros((2, 68, 3)), np.ones(2))
    assert "eyeBlink" not in said and said["mouth gap"].tolist() == [0, 0]


def test_following_counts_what_both_know():
    rng = np.random.default_rng(0)
    gap = rng.random(50)
    reference = {"mouth gap": np.where(np.arange(50) < 10, np.nan, gap)}
    (result,) = aperture_agreements("m", {"mouth gap": gap + 0.2 * rng.standard_normal(50)}, reference)
    assert result.count == 40 and 0.5 < result.pearson < 0.95 and np.isnan(result.sides).all()
    low, high = result.pearson_range
    assert low < result.pearson < high
    (again,) = aperture_agreements("m", {"mouth gap": gap}, reference)
    assert again.pearson == pytest.approx(1) and again.spearman_range == pytest.approx((1, 1))


def test_closing_finds_the_bin_where_blinks_rise():
    sides = {f"lid gap, {side}": np.array([0.5, 2.5, 8.5, 12.0]) for side in ("left", "right")}
    falling = {f"eyeBlink, {side}": np.array([0.9, 0.5, 0.1, 0.1]) for side in ("left", "right")}
    result = blink_curve("m", falling, sides)
    assert result.monotone and result.counts == (2, 0, 2, 0, 0, 0, 0, 0, 4) and np.isnan(result.means[1])
    rising = joined([falling]) | {"eyeBlink, left": np.array([0.1, 0.9, 0.1, 0.1])}
    assert not blink_curve("m", rising, sides).monotone
    assert blink_curve("m", rising, sides).largest_rise == pytest.approx(0.2)


def test_command_writes_both_tables(blinking, toy_bundle, tmp_path, capsys):
    words = ["bench", "apertures", "default", str(toy_bundle.folder), "--data", str(blinking), "--held-out", "1"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert "monotone" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert [result["measure"] for result in record["results"]] == [
        "eyeBlink", "lid gap", "lid gap", "jawOpen", "mouth gap", "mouth gap",
    ]  # fmt: skip
    assert [fall["model"] for fall in record["eyeBlink_by_lid_gap"]] == ["the reference", "default"]
    assert (tmp_path / "out" / MARKDOWN_FILE).read_text().count("\n\n| m") == 2


class Mesh:
    """Stands in for the face mesh: sees five faces, their eyes closing."""

    def __init__(self, task, mirror):
        self.seen = 0

    def observe(self, photos, landmarks):
        self.seen += 1
        score = np.full((1, 52), self.seen / 10, np.float32)
        points = np.random.default_rng(self.seen).random((1, len(OBSERVED_POINTS), 2))
        return MeshView(points, score, np.float32([0.95 if self.seen < COUNT else 0.5]))


def test_face_mesh_as_reference(blinking, toy_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("ddfa.bench.apertures.MeshTeacher", Mesh)
    run = Models(("default",), tmp_path / "out")
    assert apertures((blinking,), run, mesh_teacher=tmp_path / "any.task", held_out=1.0) == 0
    results = json.loads((tmp_path / "out" / JSON_FILE).read_text())["results"]
    assert {result["count"] for result in results} == {COUNT - 1}
    labels = next(r for r in results if r["model"] == "the labels" and r["measure"] == "eyeBlink")
    assert labels["pearson"] == pytest.approx(1)


def test_bundles_of_one_name_are_told_apart(toy_bundle):
    folder = str(toy_bundle.folder)
    names = [aligner.bundle.name for aligner in Models((folder, toy_bundle.folder.as_posix() + "/.")).aligners()]
    assert names == [folder, folder + "/."]
