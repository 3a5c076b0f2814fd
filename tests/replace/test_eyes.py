"""The eyes of a replacement."""

import numpy as np
import pytest

from ddfa.head.open import load_open_head
from ddfa.occlusion.face_region import FaceSurface
from ddfa.raster.rasterize import rasterize
from ddfa.replace.eyes import eyes_of, openness

from ..face_factory import place_faces


def test_eyeballs_show_between_the_lids_on_their_sides(surface: FaceSurface) -> None:
    face = place_faces(surface.head, [(0, 0, 0)], image_size=(200, 200))
    eyes = eyes_of(surface)
    shape = np.concatenate([surface.project(face)[0], eyes.project(face)[0]])
    raster = rasterize(shape, eyes.triangles, 200, 200, cull=True)
    ball = np.where(raster.mask, eyes.ball_of_triangle[raster.triangle], -1)
    for side, points in ((0, slice(42, 48)), (1, slice(36, 42))):
        found = np.argwhere(ball == side).mean(axis=0)[::-1]
        assert found == pytest.approx(face.landmarks68[0, points, :2].mean(axis=0), abs=1.5)


def test_lids_are_at_the_edges_of_their_eye(surface: FaceSurface) -> None:
    left, right = (surface.mm[near] for near in eyes_of(surface).lids)
    assert left[:, 0].min() > 10 and right[:, 0].max() < -10


@pytest.mark.parametrize("yaw", [80, -80])
def test_the_far_eye_of_a_profile_is_not_open(yaw: float) -> None:
    assert openness(place_faces(load_open_head(), [(0, 0, 0)])) == pytest.approx([1, 1])
    shown = openness(place_faces(load_open_head(), [(yaw, 0, 0)]))
    assert sorted(shown.tolist()) == pytest.approx([0, 1], abs=0.05)
