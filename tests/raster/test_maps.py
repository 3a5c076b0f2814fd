"""Maps and visibility, against what is known of the faces they show."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.export.rasters import write_png16
from ddfa.head.model import HeadModel
from ddfa.raster.maps import REGION_COLOURS, FaceMaps, ncc_codes, original_depth, scene_vertices
from ddfa.raster.paf import pose_adaptive_feature
from ddfa.raster.visibility import face_visibility, hidden_landmarks, nearest_surface

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def open_head() -> HeadModel:
    return HeadModel.load()


@pytest.fixture(scope="module")
def maps(open_head: HeadModel) -> FaceMaps:
    return FaceMaps(place_faces(open_head, [(20, 0, 0)]))


def test_depth_is_read_back(maps: FaceMaps, tmp_path: Path) -> None:
    write_png16(tmp_path / "depth.png", maps.depth16())
    stored = cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED)
    low, high = maps.depth_range
    np.testing.assert_array_equal(stored > 0, maps.mask)
    z = low + (stored.astype(float) - 1) / 65534 * (high - low)
    np.testing.assert_allclose(z[maps.mask], maps.depth[maps.mask], atol=(high - low) / 60000)
    assert np.isnan(maps.depth[~maps.mask]).all()
    np.testing.assert_array_equal(original_depth(maps.faces) > 2, maps.depth8() > 2)


def test_normals_face_the_viewer(maps: FaceMaps) -> None:
    normals = maps.normals()[maps.mask]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert (normals[:, 2] > 0).mean() > 0.95
    columns = np.nonzero(maps.mask)[1]
    assert normals[columns > np.quantile(columns, 0.8), 0].mean() > 0.3, "x points to the right"


def test_codes_and_texture_coordinates_of_landmarks(maps: FaceMaps, open_head: HeadModel) -> None:
    codes = ncc_codes(open_head)
    assert codes.min() == 0 and codes.max() == 1
    nose = open_head.landmark_vertices[30, 0]
    x, y = np.rint(maps.faces.vertices[0, nose, :2]).astype(int)
    np.testing.assert_allclose(maps.pncc()[y, x] / 255, codes[nose], atol=0.03)
    corner = open_head.uv_triangles[np.nonzero((open_head.triangles == nose).any(axis=1))[0]].ravel()
    np.testing.assert_allclose(maps.uv()[y, x], open_head.uv[corner].mean(axis=0), atol=0.03)


def test_regions_have_their_colours(maps: FaceMaps) -> None:
    found = {tuple(colour) for colour in maps.regions().reshape(-1, 3).tolist()}
    assert found <= {*REGION_COLOURS.values(), (0, 0, 0)} and REGION_COLOURS["nose"] in found


@pytest.mark.parametrize(
    ("yaw", "hidden", "seen"),
    [
        (0, [], range(68)),
        (30, range(6), [*range(7, 17), *range(18, 68)]),
        (60, [*range(7), 17], [*range(9, 17), 27, 30, 33, 45, 51, 54, 57]),
        (90, [*range(7), 17, 18, 31, 36, 39, 48], [*range(9, 17), 27, 30, 45, 54]),
    ],
)
def test_landmarks_of_the_far_side_are_hidden_and_no_others(open_head: HeadModel, yaw, hidden, seen) -> None:
    """Yaw > 0 looks to the image left and hides the subject's right: the jaw points 0 to 7."""
    shown = face_visibility(place_faces(open_head, [(yaw, 0, 0)])).landmarks68
    assert not shown[list(hidden)].any() and shown[list(seen)].all()
    mirrored = face_visibility(place_faces(open_head, [(-yaw, 0, 0)])).landmarks68[:17][::-1]
    assert (mirrored != shown[:17]).sum() <= 1, "the subject's left is hidden the same way"


def test_far_side_is_hidden(open_head: HeadModel) -> None:
    """Yaw > 0 turns to the image's left, which hides the subject's right side: the first points of jaw and brows."""
    faces = place_faces(open_head, [(0, 0, 0), (60, 0, 0), (-60, 0, 0)], side=200)
    front, left, right = (hidden_landmarks(faces.landmarks68[k], faces.vertices[k], open_head) for k in range(3))
    assert not front[17:].any() and front[:17].sum() <= 2
    assert left[1:6].all() and not left[[12, 14, 30, 45, 54]].any()
    mirror = [*range(16, -1, -1)]
    np.testing.assert_array_equal(left[:17], right[mirror])


def test_the_nearest_surface_is_that_of_the_rasteriser(open_head: HeadModel) -> None:
    faces = place_faces(open_head, [(35, 10, 5)])
    raster = FaceMaps(faces).raster
    rows, columns = np.mgrid[4:236:12, 4:236:12]
    nearest = nearest_surface(np.stack([columns, rows], axis=-1), faces.vertices[0], open_head.triangles)
    depth = raster.depth[rows, columns]
    assert ((nearest > -np.inf) == (depth > -np.inf)).mean() > 0.995 and (depth > -np.inf).sum() > 50
    both = (nearest > -np.inf) & (depth > -np.inf)
    difference = np.abs(nearest[both] - depth[both])
    assert np.median(difference) < 0.02 and (difference < 0.5).mean() > 0.98


def test_half_of_a_frontal_head_is_seen_and_nothing_outside(open_head: HeadModel) -> None:
    faces = place_faces(open_head)
    assert 0.3 < face_visibility(faces).vertices.mean() < 0.6
    assert face_visibility(faces).landmarks68.all()
    beyond = dataclasses.replace(faces, roi=faces.roi + 5000)
    assert not face_visibility(beyond).vertices.any() and not face_visibility(beyond).landmarks68.any()


def test_the_larger_face_is_nearer(open_head: HeadModel) -> None:
    faces = place_faces(open_head, [(0, 0, 0), (0, 0, 0)])
    small = faces.roi * np.float32([[0.5], [1]])
    z = scene_vertices(dataclasses.replace(faces, roi=small))[..., 2]
    assert z[0].max() < z[1].min()
    np.testing.assert_array_equal(scene_vertices(faces.single(0)), faces.single(0).vertices)


def test_paf(open_head: HeadModel) -> None:
    crop = np.zeros((120, 120, 3), np.uint8)
    crop[..., 0], crop[..., 1] = np.arange(120), np.arange(120)[:, None]
    picture = pose_adaptive_feature(crop, place_faces(open_head), 3).astype(int)
    assert picture.shape == (192, 192, 3)
    assert picture[96, 150, 0] > picture[96, 40, 0] + 10 and picture[150, 96, 1] > picture[40, 96, 1] + 10
    with pytest.raises(OutputError, match="odd"):
        pose_adaptive_feature(crop, place_faces(open_head), 4)


def test_without_triangles(toy_head: HeadModel) -> None:
    bare = dataclasses.replace(toy_head, triangles=np.zeros((0, 3), np.int32), uv=None, uv_triangles=None)
    with pytest.raises(ModelError, match="no triangles"):
        FaceMaps(place_faces(bare))
    assert face_visibility(place_faces(bare)).vertices.any()


def test_published_codes(reference: Path, shared_data: Path) -> None:
    head = HeadModel.load(reference / "bfm_noneck_v3.pkl")
    published = np.load(shared_data / "reference" / "v2_ncc_code.npy").T
    np.testing.assert_allclose(ncc_codes(head), published, atol=1e-5)
