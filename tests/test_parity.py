"""Original 3DDFA models reproduce the numbers of the original code."""

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.geometry.pose import original_euler, original_rotation
from ddfa.raster.maps import original_depth

PHOTOS = ["one_face", "two_faces", "three_profiles"]


@pytest.fixture(scope="module")
def golden(shared_data):
    return np.load(shared_data / "reference" / "golden_v2_mb1.npz")


@pytest.fixture(scope="module")
def photo(shared_data):
    return lambda name: cv2.imread(str(shared_data / "reference" / "photos" / f"{name}.jpg"))[..., ::-1]


@pytest.mark.parametrize("name", PHOTOS)
def test_v2_mb1(v2_mb1, golden, photo, name):
    aligner = FaceAligner(v2_mb1)
    faces = aligner(photo(name), boxes=golden[f"{name}.boxes"])
    np.testing.assert_allclose(faces.roi, golden[f"{name}.roi"], atol=1e-3)
    np.testing.assert_array_less(np.abs(faces.params - golden[f"{name}.params"]) / v2_mb1.whitening.std, 1e-3)
    np.testing.assert_allclose(faces.landmarks68.transpose(0, 2, 1), golden[f"{name}.sparse68"], atol=0.05)
    np.testing.assert_allclose(faces.vertices.transpose(0, 2, 1), golden[f"{name}.dense"], atol=0.05)
    pose = faces.params[:, :12].reshape(-1, 3, 4)
    angles = original_euler(original_rotation(pose))
    np.testing.assert_allclose(angles, golden[f"{name}.pose_repo_formula"], atol=1e-3)


def test_original_depth_image(v2_mb1, golden, photo):
    faces = FaceAligner(v2_mb1)(photo("one_face"), boxes=golden["one_face.boxes"])
    expected = golden["one_face.depth_u8"].astype(int)
    ours = original_depth(faces).astype(int)
    assert ours.shape == expected.shape
    # In the original, a pixel on an edge may belong to either triangle, or to none.
    assert (np.abs(ours - expected) <= 1).mean() > 0.9999
    assert ours.max() > 250 and (ours > 0).mean() > 0.1


def test_v2_mb05_from_its_checkpoint(v2_mb05, photo):
    """Values printed by an independent implementation, to the digits given."""
    assert v2_mb05.architecture == "mobilenet_v1_050.bfm-v2" and v2_mb05.convention.value == "v2"
    aligner = FaceAligner(v2_mb05)
    faces = aligner(photo("two_faces"), boxes=np.array([[228.86, 103.06, 466.07, 390.72]]))
    np.testing.assert_allclose(faces.roi[0], [140.467, 76.629, 554.467, 490.629], atol=0.02)
    pose = """.000441572 -9.96534e-05 .000147581 54.5811 .000122392 .000468564 -4.26604e-05 72.1578
              -.000130946 7.27274e-05 .00045865 -66.6718"""
    expected = np.array([*map(float, pose.split()), 379176, 113267, -128999, -38151, -0.0410, -1.0816, 0.1706, -0.1760])
    chosen = [*range(16), *range(52, 56)]
    difference = np.abs(faces.params[0, chosen] - expected) / v2_mb05.whitening.std[chosen]
    assert difference.max() < 0.01
    points = {30: (394.35, 273.07), 36: (293.93, 229.76), 45: (426.24, 193.42), 8: (404.69, 401.10)}
    np.testing.assert_allclose(faces.landmarks68[0, list(points), :2], list(points.values()), atol=0.1)
    angles = original_euler(original_rotation(faces.params[:, :12].reshape(-1, 3, 4)))
    np.testing.assert_allclose(angles[0], [-16.28, 9.56, 15.19], atol=0.05)

    faces = aligner(photo("one_face"), boxes=np.array([[119.60, 93.46, 290.69, 312.38]]))
    np.testing.assert_allclose(faces.roi[0], [51.146, 76.224, 359.146, 384.224], atol=0.02)
    np.testing.assert_allclose(faces.landmarks68[0, 30, :2], [209.94, 224.02], atol=0.1)


def test_two_steps_move_the_roi_a_little(v2_mb1, golden, photo):
    aligner = FaceAligner(v2_mb1)
    boxes = golden["two_faces.boxes"]
    once, twice = (aligner(photo("two_faces"), boxes=boxes, refine=refine) for refine in (False, True))
    shift = np.linalg.norm((once.landmarks68 - twice.landmarks68)[..., :2], axis=-1).mean(axis=1)
    assert (shift > 0.5).all() and (shift < 15).all()
