"""The source's skin on the atlas: what is behind a turned face does not get there, no feature appears twice."""

import cv2
import numpy as np
import pytest

from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.skin_colour import ColourBasis
from ddfa.replace.appearance.skin_texture import unwrap_skin, whole_skin
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import atlas_of

from ...face_factory import place_faces

SIZE = 256
SKIN = (190, 140, 120)


@pytest.mark.parametrize("yaw", [55, 70])
def test_skin_at_the_outline_is_not_trusted(surface: FaceSurface, yaw: float) -> None:
    face = place_faces(surface.head, [(yaw, 0, 0)], side=400.0)
    vertices, atlas = face.vertices[0], atlas_of(surface.head, SIZE)
    photo = np.full((420, 420, 3), SKIN, np.uint8)
    view = TargetFace.of(surface, ColourBasis(surface), photo, face, SIZE)
    view.use_network = False  # a flat drawing is no face to it
    _, visible = unwrap_skin(view, atlas)
    shown = np.zeros((len(vertices), 3), np.float32)
    shown[surface.vertices] = np.column_stack([view.shape[:, :2], surface.beyond_edge])
    spread = atlas.spread(shown)
    x, y = (np.rint(spread[..., k]).astype(int) for k in range(2))
    outside = np.pad(view.raster.mask, 1).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)  # but not the holes of eyes and mouth
    away = cv2.distanceTransform((outside != 2).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    height, width = away.shape
    distance = away[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    own = atlas.inside & (spread[..., 2] > 0.99) & (np.abs(atlas.position[..., 0]) < 20)
    assert (visible[own] > 0.5).sum() > 500
    assert visible[own & (distance <= 2)].max() < 0.1


def test_the_better_side_alone_shows_a_feature(surface: FaceSurface) -> None:
    atlas = atlas_of(surface.head, SIZE)
    left = atlas.position[..., 0] > 0
    colours = np.full((SIZE, SIZE, 3), 150, np.float32)
    # A spot on either side, at places that do not mirror each other, as an inexact fit of a turned face leaves it.
    skin = (atlas.face > 0.9) & atlas.skin
    spot = skin & left & (np.abs(atlas.position[..., 0] - 30) < 4) & (np.abs(atlas.position[..., 1] + 10) < 4)
    ghost = skin & ~left & (np.abs(atlas.position[..., 0] + 40) < 4) & (np.abs(atlas.position[..., 1] + 10) < 4)
    assert spot.sum() > 10 and ghost.sum() > 10
    colours[spot | ghost] = 50
    visible = np.where(left, 1.0, 0.5).astype(np.float32) * skin
    result, known = whole_skin([(colours, visible)], atlas)
    assert (result[spot] < 70).mean() > 0.8  # the better side stays
    assert result[ghost].mean() > 140  # the worse one gives way
    assert known[skin].mean() > 0.9
