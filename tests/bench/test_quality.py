import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.bench.predict import Predictions
from ddfa.bench.quality import auc, calibration_error, quality_report, reliability, score_quality, spearman
from ddfa.errors import DataError


def test_rank_correlation_ignores_the_scale():
    x = np.random.default_rng(0).random(50)
    assert spearman(x, np.exp(5 * x)) == pytest.approx(1)
    assert spearman(x, -x) == pytest.approx(-1)
    assert np.isnan(spearman(x, np.ones(50)))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_ordered_pairs(rows):
    scores, positive = np.array([score for score, _ in rows]), np.array([label for _, label in rows])
    pairs = [np.sign(a - b) for a in scores[positive] for b in scores[~positive]]
    if pairs:
        assert auc(scores, positive) == pytest.approx(0.5 + 0.5 * np.mean(pairs))
    else:
        assert np.isnan(auc(scores, positive))


def test_calibration_error_of_known_probabilities():
    rng = np.random.default_rng(1)
    probability = rng.random(20_000)
    assert calibration_error(probability, rng.random(20_000) < probability) < 0.02
    assert calibration_error(probability, rng.random(20_000) < probability**3) > 0.15
    rows = reliability(np.array([0.05, 0.05, 1.0]), np.array([False, True, True]))
    assert rows[0] == (2, pytest.approx(0.05), 0.5) and rows[-1] == (1, 1.0, 1.0) and rows[5][0] == 0


def _predictions(std, quality):
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 100, (200, 68, 3)).astype(np.float32)
    spread = np.linspace(0.5, 12, 200)[:, None, None]
    seen = truth + rng.normal(size=truth.shape) * spread
    known = {"landmarks68": seen, "quality": quality, "landmark_std": std(spread)}
    none = np.zeros((200, 0), np.float32)
    found = Predictions("m", np.arange(200), 200, rotation=none, euler_deg=none, expression=none,
                        expression_names=(), **known)  # fmt: skip
    return found, truth


def test_true_deviations_have_a_ratio_of_one_and_order_the_faces():
    quality = np.linspace(1, 0, 200).astype(np.float32)
    found, truth = _predictions(lambda s: np.broadcast_to(s[..., 0], (200, 68)).astype(np.float32), quality)
    score = score_quality(found, truth)
    assert score.ratio == pytest.approx(1, abs=0.02) and score.spearman > 0.95 and score.auc > 0.95
    report = quality_report([score], "title")
    assert len(report.sheet.rows) == 1 and set(report.chart.lines) == {"ideal", "m"}


def test_a_bundle_without_quality_head_is_an_error():
    found, truth = _predictions(lambda _: None, None)
    with pytest.raises(DataError, match="no quality head"):
        score_quality(found, truth)
