import json

import cv2
import numpy as np
import pytest

from ddfa.bench.report import JSON_FILE, MARKDOWN_FILE, Scores
from ddfa.bench.sets import AnnotatedSet
from ddfa.bench.skin_tone import GROUPS, UNKNOWN, by_tone, tone_groups, typology_angle
from ddfa.cli import main
from ddfa.head.model import HeadModel


def landmarks(yaw_deg=0.0):
    """The mean head's landmarks in the middle of a picture of 200 px."""
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    points = HeadModel.load().landmark_points.mean @ turn.T
    return (points - points.mean(axis=0)) * [0.8, -0.8, 0.8] + [100, 100, 0]


def of_lab(lightness, a, b):
    """A picture of one CIELAB colour."""
    rgb = cv2.cvtColor(np.float32([[[lightness, a, b]]]), cv2.COLOR_LAB2RGB)
    return np.tile(np.uint8(np.rint(255 * rgb)), (200, 200, 1))


@pytest.mark.parametrize(("lightness", "b"), [(75, 15), (60, 20), (40, 18)])
def test_angle_is_that_of_the_formula(lightness, b):
    expected = np.degrees(np.arctan((lightness - 50) / b))
    assert typology_angle(of_lab(lightness, 12, b), landmarks()) == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("colour", [(60, 0, 0), (60, 0, -20), (60, -20, 10)])
def test_grey_blue_and_green_are_no_skin(colour):
    assert np.isnan(typology_angle(of_lab(*colour), landmarks()))
    assert np.isnan(typology_angle(of_lab(70, 12, 18), landmarks() + 500))


@pytest.mark.parametrize("yaw", [-60, 60])
def test_only_the_cheek_that_is_seen_counts(yaw):
    """The turned-away half of the face is dark, the nearer one light."""
    points = landmarks(yaw)
    light, dark = of_lab(75, 12, 15), of_lab(30, 10, 15)
    middle = round(float(points[27:31, 0].mean()))
    near_is_left = points[27:31, 0].mean() > points[[2, 14], 0].mean()
    photo = np.concatenate([light[:, :middle], dark[:, middle:]], axis=1)
    if not near_is_left:
        photo = np.concatenate([dark[:, :middle], light[:, middle:]], axis=1)
    assert typology_angle(photo, points) > 50


class ImageSequence:
    def __init__(self, pictures):
        self.pictures = pictures

    def read(self, name):
        return self.pictures[name]


def test_scores_are_shared_out_to_groups():
    pictures = ImageSequence(
        {"a": of_lab(80, 12, 15), "b": of_lab(25, 10, 12), "c": of_lab(50, 0, 0), "d": of_lab(80, 12, 15)}
    )
    data = AnnotatedSet("s", pictures, tuple("abcd"), np.stack([landmarks()] * 4), np.zeros((4, 3), np.float32))
    groups = tone_groups(data)
    assert groups.tolist() == [GROUPS[0], GROUPS[-1], UNKNOWN, GROUPS[0]]

    class Found:
        index = np.array([0, 1, 2])

    parts = by_tone(Found, Scores("m", np.array([1.0, 2.0, 3.0]), np.zeros(3)), groups)
    assert [(p.what, p.errors.tolist(), p.missed) for p in parts] == [
        ("very light (2)", [1.0], 1), ("dark (1)", [2.0], 0), ("unknown (1)", [3.0], 0),
    ]  # fmt: skip


def test_command_adds_a_table(annotated, toy_bundle, tmp_path):
    words = ["bench", "landmarks", str(toy_bundle.folder), "--data", str(annotated), "--by-tone"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert sum(sum(part["counts"]) for part in record["by_tone"]) == 3
    assert "skin appears" in (tmp_path / "out" / MARKDOWN_FILE).read_text()
