import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.texture.frontal import frontal_photo
from ddfa.texture.unwrap import unwrap_texture

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def face():
    return place_faces(HeadModel.load(), [(15.0, 0.0, 0.0)])


@pytest.fixture(scope="module")
def photo(face):
    """Grey, with a red spot on the tip of the nose."""
    picture = np.full((*face.image_size[::-1], 3), 128, np.uint8)
    x, y = np.rint(face.landmarks68[0, 30, :2]).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = [255, 0, 0]
    return picture


def test_a_face_as_it_is_stays_as_it_is(face, photo):
    result = frontal_photo(photo, face, face, unwrap_texture(photo, face, 256))
    red = result[..., 0].astype(int) - result[..., 1]
    assert red.max() > 100 and abs(np.median(result) - 128) <= 1


def test_the_nose_of_a_turned_head_comes_to_the_middle(face, photo):
    result = frontal_photo(photo, face, face.without(pose=True), unwrap_texture(photo, face, 256))
    red = result[..., 0].astype(int) - result[..., 1]
    middle = np.argwhere(red > red.max() / 2)[:, 1].mean()
    assert abs(middle / result.shape[1] - 0.5) < 0.03


def test_it_needs_a_texture_map(face, photo, toy_head):
    toy = place_faces(toy_head)
    with pytest.raises(ModelError, match="open head"):
        frontal_photo(photo, toy, toy, unwrap_texture(photo, face, 64))
