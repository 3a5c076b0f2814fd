import numpy as np
import pytest

from ddfa.data.face_profiling.mouths import MouthSynthesizer

SKIN = (200, 150, 120)
POSE = np.array([[0.7, 0, 0, 80], [0, -0.7, 0, 60], [0, 0, 0.7, 0]])
PERSON = np.zeros(80, np.float32)


@pytest.fixture(scope="module")
def mouths(head):
    return MouthSynthesizer(head)


def expression(head, **values):
    result = np.zeros(52, np.float32)
    for name, value in values.items():
        result[head.expression_names.index(name)] = value
    return result


def shape(head, **values):
    return head.decode(PERSON[None], expression(head, **values)[None])[0]


def test_the_same_mouth_leaves_the_photo(mouths, head):
    photo = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    assert np.abs(mouths.draw(photo, POSE, head.mean, head.mean, True).astype(int) - photo).max() <= 1


def test_an_opened_mouth_has_an_inside_and_moves_the_chin(mouths, head):
    photo = np.full((160, 160, 3), SKIN, np.uint8)
    chin = head.mean[head.landmark_vertices[8]].mean(axis=0) @ POSE[:2, :3].T + POSE[:2, 3]
    row, column = int(chin[1]) - 3, int(chin[0])
    photo[row - 1 : row + 2, column - 2 : column + 3] = (0, 255, 0)  # a mark on the chin
    opened = mouths.draw(photo, POSE, head.mean, shape(head, jawOpen=0.5), True)
    green = np.argwhere(opened[..., 1].astype(int) - opened[..., 0] > 100)
    assert green[:, 0].mean() > row + 4
    dark = np.argwhere(opened.max(axis=-1) < 140)
    middle = shape(head, jawOpen=0.5)[head.regions["lips"]].mean(axis=0) @ POSE[:2, :3].T + POSE[:2, 3]
    assert len(dark) > 40
    np.testing.assert_allclose(dark.mean(axis=0), middle[::-1], atol=5)
    np.testing.assert_array_equal(opened[:45], photo[:45])  # brow and eyes stay


def test_nothing_is_painted_into_a_mouth_that_was_open(mouths, head):
    photo = np.full((160, 160, 3), SKIN, np.uint8)
    closing = mouths.draw(photo, POSE, shape(head, jawOpen=0.4), shape(head, jawOpen=0.1), False)
    assert np.abs(closing.astype(int) - photo).max() <= 1


def test_closed_mouths_open_and_open_ones_close(mouths, head):
    relaxed, yawn = expression(head, eyeBlinkLeft=0.3), expression(head, jawOpen=0.7)
    assert mouths.is_closed(PERSON, relaxed) and not mouths.is_closed(PERSON, yawn)
    rng = np.random.default_rng(0)
    chosen = np.stack([mouths.choose(PERSON, relaxed, rng) for _ in range(100)])
    assert (chosen >= 0).all() and (chosen <= 1).all()
    assert 0.3 < np.mean([not mouths.is_closed(PERSON, e) for e in chosen]) < 0.8
    assert (chosen != relaxed).any(axis=1).all()
    np.testing.assert_array_equal(chosen[:, head.expression_names.index("eyeBlinkLeft")], np.float32(0.3))
    before = mouths.opening(PERSON, yawn)
    assert all(mouths.opening(PERSON, mouths.choose(PERSON, yawn, rng)) < before for _ in range(20))
