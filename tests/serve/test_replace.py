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


def test_two_sources_replace_two_people(allowed, root):
    samples = root / "samples"
    group = (samples / "test1.jpg").read_bytes()
    sources = [("source", (samples / name).read_bytes()) for name in ("astronaut.jpg", "grace_hopper.jpg")]
    answer = allowed.post("/v1/replace", files=[*sources, ("target", group)], data={"face": ["0", "1"]})
    assert answer.status_code == 200
    before, after = (decode_image(content, "image").astype(int) for content in (group, answer.content))
    changed = abs(before - after).max(axis=2) > 40
    middle = changed.shape[1] // 2
    assert changed[:, :middle].any() and changed[:, middle:].any()


def test_a_reference_photo_names_who_is_replaced(allowed, photos):
    files = [("source", photos["source"]), ("target", photos["target"])]
    assert allowed.post("/v1/replace", files=[*files, ("face", photos["target"])]).status_code == 200
    answer = allowed.post("/v1/replace", files=[*files, ("face", photos["source"])])
    assert answer.status_code == 422 and "nobody who looks like the reference" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("sources", "faces"), [(2, ["0", "1", "2"]), (9, ["0"]), (0, ["0"])])
def test_numbers_of_sources_and_faces_must_fit(allowed, photos, sources, faces):
    files = [("source", photos["source"])] * sources + [("target", photos["target"])]
    answer = allowed.post("/v1/replace", files=files, data={"face": faces})
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "invalid"
