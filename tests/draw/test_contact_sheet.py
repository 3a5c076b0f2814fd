"""Sheets: every style of every face, in tiles."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.draw.contact_sheet import draw_sheet
from ddfa.head.model import HeadModel

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def open_head():
    return HeadModel.load()


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(60, 200, (240, 320, 3), np.uint8)


def strips(sheet, rows):
    """The strips of a sheet of several faces, without the gap at the sheet's top: (rows, h, w, 3)."""
    gap = 5
    return np.array(np.split(sheet[gap:].astype(int), rows))


def test_one_face_fills_two_rows_of_five(open_head, photo):
    sheet = draw_sheet(photo, place_faces(open_head, [(20.0, 5.0, 0.0)]))
    assert 2 < sheet.shape[1] / sheet.shape[0] < 2.5
    tiles = [tile[20:-100, 20:-20] for row in np.split(sheet, 2) for tile in np.split(row, 5, axis=1)]
    flat = np.array(tiles).reshape(10, -1).astype(int)
    differences = np.abs(flat[:, None] - flat[None]).mean(axis=-1)
    assert (differences + 100 * np.eye(10)).min() > 0.5  # no two tiles show the same


def test_several_faces_have_a_strip_each(open_head, photo):
    faces = place_faces(open_head, [(0.0, 0.0, 0.0), (40.0, 0.0, 0.0)])
    both = draw_sheet(photo, faces)
    assert both.shape[1] > 4 * both.shape[0]
    swapped = draw_sheet(photo, faces[np.array([1, 0])])
    np.testing.assert_array_equal(strips(both, 2), strips(swapped, 2)[::-1])


def test_a_crowd_is_cut_short(open_head, photo, monkeypatch):
    monkeypatch.setattr("ddfa.draw.contact_sheet.MOST_FACES", 2)
    faces = place_faces(open_head, [(0.0, 0.0, 0.0)] * 3, side=8.0)
    np.testing.assert_array_equal(draw_sheet(photo, faces), draw_sheet(photo, faces[:2]))


def test_a_face_outside_its_photo_is_drawn_on_dark_ground(open_head, photo):
    faces = place_faces(open_head)
    far = replace(faces, roi=faces.roi + np.float32(2000))
    assert draw_sheet(photo, far).shape == draw_sheet(photo, faces).shape


def test_a_head_without_atlas_and_regions_has_no_tiles_for_them(open_head, photo):
    bare = replace(open_head, uv=None, uv_triangles=None, regions={})
    assert draw_sheet(photo, place_faces(bare)).shape[1] == pytest.approx(
        0.8 * draw_sheet(photo, place_faces(open_head)).shape[1], rel=0.01
    )
