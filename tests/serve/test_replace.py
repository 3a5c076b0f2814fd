import pytest

from ddfa.images import decode_image
from ddfa.provenance.xmp import DIGITAL_SOURCE_TYPE

from .conftest import client_of


@pytest.fixture(scope="module")
def allowed():
    with client_of(allow_replace=True) as client:
        yield client


@pytest.fixture(scope="module")
def photos(root):
    return {
        name: (root / "samples" / file).read_bytes()
        for name, file in (("source", "grace_hopper.jpg"), ("target", "astronaut.jpg"))
    }


def test_replacement_is_off_unless_it_is_allowed(client, photos):
    answer = client.post("/v1/replace", files=photos)
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "disabled"


def test_the_result_says_that_it_is_synthetic(allowed, photos):
    answer = allowed.post("/v1/replace", files=photos, data={"label": "true"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    assert DIGITAL_SOURCE_TYPE.encode() in answer.content
    assert decode_image(answer.content, "result").shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("fields", "code"), [({"shape": "x"}, "invalid"), ({"face": "-1"}, "invalid"), ({"face": "7"}, "no_face")]
)
def test_wrong_wishes_are_named(allowed, photos, fields, code):
    answer = allowed.post("/v1/replace", files=photos, data=fields)
    assert answer.status_code == 422 and answer.json()["error"]["code"] == code
