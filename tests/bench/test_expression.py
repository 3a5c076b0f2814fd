import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from ddfa.bench.expression import ReferenceScores, agreements, aperture_score, area_under_curve, correlation, ranks
from ddfa.bench.predict import Predictions
from ddfa.bench.report import JSON_FILE
from ddfa.cli import main
from ddfa.commands.bench.blink import blink
from ddfa.commands.bench.options import Models
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.errors import DataError
from ddfa.head.model import HeadModel


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


def predictions(head, strength, expression):
    """The open head making one face unit, as if a network had seen it."""
    n = len(strength)
    coefficients = np.zeros((n, 52), np.float32)
    coefficients[:, head.expression_names.index(expression)] = strength
    return Predictions(
        model="toy",
        index=np.arange(n),
        count=n + 1,
        landmarks68=head.decode_landmarks(np.zeros((n, 80)), coefficients),
        rotation=np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
        euler_deg=np.zeros((n, 3), np.float32),
        expression=coefficients,
        expression_names=head.expression_names,
    )


@pytest.mark.parametrize("expression", ["eyeBlinkLeft", "eyeBlinkRight", "jawOpen"])
def test_landmarks_show_the_expression_of_the_right_side(head, expression):
    strength = np.linspace(0, 1, 6)
    found = predictions(head, strength, expression)
    shown = aperture_score(found.landmarks68, expression)
    assert (np.diff(shown) > 0).all()
    reference = ReferenceScores(tuple("abcdefg"), {expression: np.float32([*strength, np.nan])})
    for result in agreements(found, reference):
        assert result.count == 6 and result.missed == 1
        assert result.spearman == pytest.approx(1) and result.auc == 1 and result.pearson > 0.9


def test_correlations_agree_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (2, 50)).astype(float)
    assert correlation(a, b) == pytest.approx(pearsonr(a, b)[0])
    assert correlation(ranks(a), ranks(b)) == pytest.approx(spearmanr(a, b)[0])
    assert np.isnan(correlation(a, np.ones(50))) and np.isnan(correlation(a[:0], b[:0]))


def test_area_under_curve_counts_pairs():
    rng = np.random.default_rng(1)
    values, positive = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in values[positive] for n in values[~positive]]
    assert area_under_curve(values, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(area_under_curve(values, np.zeros(40, bool)))


def test_files(tmp_path):
    (tmp_path / "s.csv").write_text("name,eyeBlinkLeft,eyeBlinkRight,jawOpen\na.jpg,0.1,,0.5\nb.jpg,1,0,0\n")
    both = ReferenceScores.load(tmp_path / "s.csv", "eyeBlink")
    assert both.names == ("a.jpg", "b.jpg") and list(both.scores) == ["eyeBlinkLeft", "eyeBlinkRight"]
    np.testing.assert_array_equal(both.scores["eyeBlinkRight"], np.float32([np.nan, 0]))
    np.savez(tmp_path / "s.npz", names=["a.jpg"], jawOpen=np.float32([0.5]))
    assert ReferenceScores.load(tmp_path / "s.npz", "jawOpen").scores["jawOpen"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,jawOpen\na,1\n", "no eyeBlink"),
        ("name,eyeBlinkLeft\na,x\n", "not numbers"),
        ("name,eyeBlinkLeft\na\n", "length differs"),
        ("", "it has nothing"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        ReferenceScores.load(tmp_path / "s.csv", "eyeBlink")
    (tmp_path / "s.npz").write_text("x")
    with pytest.raises(DataError, match="not a readable"):
        ReferenceScores.load(tmp_path / "s.npz", "eyeBlink")


def test_a_basel_model_is_judged_by_its_landmarks(root, toy_bundle, tmp_path, capsys):
    names = sorted(path.name for path in (root / "samples").glob("*.jpg"))
    rows = "".join(f"{name},{k / 9},0\n" for k, name in enumerate(names))
    (tmp_path / "samples.csv").write_text(f"name,eyeBlinkLeft,eyeBlinkRight\n{rows}")
    words = ["bench", "blink", str(toy_bundle.folder), "--photos", str(root / "samples")]
    assert main([*words, "--scores", str(tmp_path / "samples.csv"), "--output", str(tmp_path / "out")]) == 0
    (result,) = json.loads((tmp_path / "out" / JSON_FILE).read_text())["results"]
    assert result["measure"] == "landmarks" and result["count"] == 2 * len(names)
    assert "coefficient" not in capsys.readouterr().out
    (tmp_path / "samples.csv").write_text("name,cheekPuff\n" + "".join(f"{name},0\n" for name in names))
    with pytest.raises(DataError, match="none of these models"):
        blink(root / "samples", Models((str(toy_bundle.folder),)), tmp_path / "samples.csv", expression="cheekPuff")
    with pytest.raises(DataError, match="either --scores or --mesh-teacher"):
        blink(root / "samples", Models((str(toy_bundle.folder),)))


class Mesh:
    """Stands in for the face mesh: sees the first photo half asleep, and no face in any other."""

    def __init__(self, task, mirror):
        self.presence = 0.95

    def observe(self, photos, landmarks):
        assert photos[0].ndim == 3 and landmarks.shape == (1, 68, 2)
        view = MeshView(np.zeros((1, 2)), np.full((1, 52), 0.25, np.float32), np.float32([self.presence]))
        self.presence = 0.5
        return view


def test_scores_of_the_face_mesh(root, toy_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("ddfa.bench.expression.MeshTeacher", Mesh)
    run = Models((str(toy_bundle.folder),), tmp_path / "out")
    assert blink(root / "samples", run, mesh_teacher=tmp_path / "any.task") == 0
    saved = ReferenceScores.load(tmp_path / "out" / "scores.csv", "eyeBlink")
    assert np.nansum(saved.scores["eyeBlinkLeft"]) == 0.25 and np.isnan(saved.scores["eyeBlinkLeft"]).any()
    with pytest.raises(DataError, match="does not score nostril"):
        blink(root / "samples", run, mesh_teacher=tmp_path / "any.task", expression="nostril")


def test_levels_show_the_mean_at_each_score(head):
    found = replace(predictions(head, np.array([0.2, 0.4, 0.9]), "jawOpen"), count=3)
    reference = ReferenceScores(tuple("abc"), {"jawOpen": np.float32([0.05, 0.05, 1.0])})
    levels = agreements(found, reference)[0].levels
    np.testing.assert_allclose([levels[0], levels[9]], [0.3, 0.9], atol=1e-6)
    assert np.isnan(levels[1:9]).all()
