"""Figures of replaced faces on images whose right values are known."""

import numpy as np
import pytest

from ddfa.bench.replacement import ReplacementJudge, error, moved, seam
from ddfa.head.open import load_open_head
from ddfa.occlusion.face_region import FaceSurface

from ..face_factory import place_faces


def test_moved_is_the_share_of_the_way_to_the_source() -> None:
    target, source = np.zeros(3), np.array([1.0, 2.0, -1.0])
    for share in (0.0, 0.4, 1.0):
        assert moved(source, target, share * source, np.ones(3)) == pytest.approx(share)
    assert moved(source, target, np.array([9.0, 2.0, -1.0]), np.array([0.0, 1.0, 1.0])) == pytest.approx(1)


def test_moved_is_nan_where_source_and_target_are_equal() -> None:
    assert np.isnan(moved(np.ones(2), np.ones(2), np.zeros(2), np.ones(2)))


def test_seam_is_large_where_a_hard_border_was_drawn_and_one_where_the_change_fades() -> None:
    rows, columns = np.mgrid[0:200, 0:200]
    target = np.repeat((100 + 0.2 * columns)[..., None], 3, axis=2).astype(np.uint8)
    distance = np.hypot(rows - 100, columns - 100)
    hard = np.where((distance < 50)[..., None], target + 40, target).astype(np.uint8)
    soft = (target + 40 * np.clip((60 - distance) / 60, 0, 1)[..., None]).astype(np.uint8)
    assert seam(target, hard, 100) > 5
    assert seam(target, soft, 100) < 3
    assert np.isnan(seam(target, target, 100))


def test_error_counts_the_given_area_only() -> None:
    truth = np.full((10, 10, 3), 100, np.uint8)
    image, area = truth.copy(), np.zeros((10, 10), np.float32)
    image[:5] += 8
    image[5:] += 50
    area[:5] = 1
    assert error(truth, image, area) == pytest.approx(8)


@pytest.fixture(scope="module")
def judge() -> ReplacementJudge:
    return ReplacementJudge(FaceSurface(load_open_head()))


def test_an_unchanged_target_has_moved_nowhere_and_keeps_its_light(judge: ReplacementJudge) -> None:
    faces = place_faces(load_open_head(), ((0, 0, 0), (10, 0, 0)))
    rng = np.random.default_rng(0)
    source, target = (rng.integers(60, 200, (400, 400, 3)).astype(np.uint8) for _ in range(2))
    figures = judge((source, faces.single(0)), (target, faces.single(1)), (target, faces.single(1)))
    assert (figures.skin_moved, figures.light_error) == pytest.approx((0, 0), abs=1e-6)
    assert np.isnan(figures.shape_moved)  # both are the mean shape


def test_light_from_the_other_side_is_an_error(judge: ReplacementJudge) -> None:
    face = place_faces(load_open_head())
    image = np.repeat(np.tile(np.linspace(60, 220, 400), (400, 1))[..., None], 3, axis=2).astype(np.uint8)
    flipped = np.ascontiguousarray(image[:, ::-1])
    figures = judge((image, face), (image, face), (flipped, face))
    assert figures.light_error > 0.05
