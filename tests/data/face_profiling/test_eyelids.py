import numpy as np
import pytest

from ddfa.data.face_profiling.eyelids import EyelidSynthesizer

SKIN, WHITE = (200, 150, 120), (255, 255, 255)


@pytest.fixture(scope="module")
def lids(head):
    return EyelidSynthesizer(head)


@pytest.fixture(scope="module")
def face(head):
    """An image of the mean head, eyes white, everything else skin: photo, pose, vertices in head space."""
    from ddfa.data.face_profiling.rotation import textured_triangles
    from ddfa.raster.rasterize import rasterize

    pose = np.array([[0.8, 0, 0, 80], [0, -0.8, 0, 90], [0, 0, 0.8, 0]])
    triangles = textured_triangles(head)
    raster = rasterize((head.mean @ pose[:, :3].T + pose[:, 3]).astype(np.float32), triangles, 160, 160)
    eye = (head.regions["eye_left"] | head.regions["eye_right"])[triangles].all(axis=1)
    photo = np.full((160, 160, 3), SKIN, np.uint8)
    photo[raster.mask & eye[raster.triangle]] = WHITE
    return photo, pose, head.mean


def expression(head, **values):
    result = np.zeros(52, np.float32)
    for name, value in values.items():
        result[head.expression_names.index(name)] = value
    return result


def with_expression(head, values):
    return head.decode(np.zeros((1, 80)), values[None])[0]


def whites(picture):
    return (picture[..., 2] > 200).sum()


def test_same_lids_leave_the_photo(lids, face):
    photo, pose, shape = face
    np.testing.assert_array_equal(lids.draw(photo, pose, shape, shape), photo)


def test_closed_lids_cover_the_eyes_alone(lids, face, head):
    photo, pose, shape = face
    closed = with_expression(head, expression(head, eyeBlinkLeft=1, eyeBlinkRight=1))
    picture = lids.draw(photo, pose, shape, closed)
    assert whites(photo) > 40 and whites(picture) == 0
    low, high = (
        np.argwhere((picture != photo).any(axis=-1)).min(axis=0),
        np.argwhere((picture != photo).any(-1)).max(0),
    )
    eyes = head.regions["eyelid_left"] | head.regions["eyelid_right"]
    places = (shape[eyes] @ pose[:, :3].T + pose[:, 3])[:, 1::-1]
    assert (low > places.min(axis=0) - 6).all() and (high < places.max(axis=0) + 6).all()


def test_a_wink_closes_one_eye(lids, face, head):
    photo, pose, shape = face
    wink = lids.draw(photo, pose, shape, with_expression(head, expression(head, eyeBlinkLeft=1)))
    np.testing.assert_array_equal(wink[:, :78], photo[:, :78])  # the subject's right half
    assert whites(wink) < 0.6 * whites(photo)


def test_a_wide_eye_shows_more_white(lids, face, head):
    photo, pose, shape = face
    wide = with_expression(head, expression(head, eyeWideLeft=1, eyeWideRight=1))
    assert whites(lids.draw(photo, pose, shape, wide)) > whites(photo)


def test_chosen_lids_span_open_to_closed(lids, head):
    rng = np.random.default_rng(0)
    before, identity = expression(head, mouthPucker=0.4), np.zeros(80, np.float32)
    chosen = np.stack([lids.choose(identity, before, rng) for _ in range(200)])
    gaps = np.stack([lids.openings(identity, e) for e in chosen])
    assert (chosen >= 0).all() and (chosen <= 1).all()
    assert (gaps.min(axis=0) < 1).all() and (gaps.max(axis=0) > lids.openings(identity, before) + 1).all()
    assert (np.abs(gaps[:, 0] - gaps[:, 1]) > 4).mean() > 0.05  # winks
    others = [not name.startswith("eye") for name in head.expression_names]
    np.testing.assert_array_equal(chosen[:, others], np.tile(before[others], (200, 1)))


def test_closed_eyes_stay_closed(lids, head):
    shut = expression(head, eyeBlinkLeft=1, eyeBlinkRight=1)
    for seed in range(20):
        chosen = lids.choose(np.zeros(80, np.float32), shut, np.random.default_rng(seed))
        np.testing.assert_array_equal(chosen, shut)
