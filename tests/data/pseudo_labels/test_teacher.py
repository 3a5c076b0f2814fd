from types import SimpleNamespace

import numpy as np
import pytest

from ddfa.data.pseudo_labels.teacher import Teacher, View
from ddfa.head.linear import LinearPoints
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout

ROI = np.array([[10.0, 20, 130, 140]])


class StubbornRegressor:
    """Sees the same head in every crop."""

    def __init__(self, params, convention):
        layout = ParamLayout(2, 1)
        self.bundle = SimpleNamespace(input_size=120, layout=layout, convention=convention)
        self._params = params

    def params_from_crops(self, crops):
        return np.tile(self._params, (len(crops), 1))


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return LinearPoints(rng.normal(0, 30, (7, 3)).astype(np.float32), rng.normal(0, 1, (3, 7, 3)).astype(np.float32), 2)


@pytest.fixture
def params():
    pose = np.array([[0.9, 0.1, 0, 60], [-0.1, 0.9, 0, 62], [0, 0, 0.9, 0]])
    return np.concatenate([pose.ravel(), [0.5, -1, 0.3]]).astype(np.float32)


def in_crop(params, points):
    pose, identity, expression = ParamLayout(2, 1).split(params[None])
    return points.decode(identity, expression)[0] @ pose[0, :, :3].T + pose[0, :, 3]


def test_upright_view_is_the_pixel_convention(points, params):
    teacher = Teacher(StubbornRegressor(params, PixelConvention.OPEN), points, (View(0, False), View(0, True)))
    seen, spread = teacher.observe([np.zeros((200, 200, 3), np.uint8)], ROI)
    expected = PixelConvention.OPEN.to_image(in_crop(params, points)[None], ROI, 120)[0]
    np.testing.assert_allclose(seen[0, 0, :, :2], expected[:, :2], atol=1e-3)
    np.testing.assert_allclose(np.diff(seen[0, 0, :, 2]), np.diff(expected[:, 2]), atol=1e-3)
    np.testing.assert_allclose(spread, 0, atol=1e-6)


def test_mirrored_view_comes_back_mirrored(points, params):
    teacher = Teacher(StubbornRegressor(params, PixelConvention.OPEN), points, (View(0, False), View(0, True)))
    seen, _ = teacher.observe([np.zeros((200, 200, 3), np.uint8)], ROI)
    centre = (ROI[0, 0] + ROI[0, 2]) / 2
    np.testing.assert_allclose(seen[0, 1, :, 0] - centre, centre - seen[0, 0, :, 0], atol=1e-3)
    np.testing.assert_allclose(seen[0, 1, :, 1:], seen[0, 0, :, 1:], atol=1e-3)


def test_views_that_disagree_have_spread(points, params):
    views = (View(-20, False), View(20, False), View(0, True))
    _, spread = Teacher(StubbornRegressor(params, PixelConvention.V2), points, views).observe(
        [np.zeros((200, 200, 3), np.uint8)], ROI
    )
    assert spread[0] > 0.05


@pytest.mark.parametrize("view", [View(0, False), View(25, False), View(-40, True)])
def test_view_affine_turns_about_the_roi_centre(view):
    affine = view.affine(ROI[0], 120)
    np.testing.assert_allclose(affine[:, :2] @ [70, 80] + affine[:, 2], [59.5, 59.5], atol=1e-9)
    assert (np.linalg.det(affine[:, :2]) < 0) == view.mirrored
