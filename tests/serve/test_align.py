import base64
import io
import struct
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from ddfa.align import FaceAligner
from ddfa.images import decode_image
from ddfa.serve.schemas import AlignAnswer, ErrorAnswer

from .conftest import client_of

IMAGE_AS_TEXT = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n1\r\n--x--\r\n'


def post(client, content, **fields):
    return client.post("/v1/align", files={"image": ("x.jpg", content)}, data=fields)


def refused(answer, status, code):
    """The answer is that error, in the form every error has."""
    told = ErrorAnswer.model_validate(answer.json()).error
    return answer.status_code == status and told.code == code and told.message.isprintable()


def test_faces_are_those_that_the_aligner_finds(client, photo):
    answer = post(client, photo, refine="true")
    assert answer.status_code == 200
    told = AlignAnswer.model_validate(answer.json())
    faces = FaceAligner()(decode_image(photo, "photo"), refine=True)
    assert (told.image.width, told.image.height) == faces.image_size and len(told.faces) == len(faces) == 1
    np.testing.assert_allclose(told.faces[0].landmarks68, faces.landmarks68[0], atol=0.1)
    assert told.faces[0].files == {} and len(told.faces[0].blendshapes) == 52


def test_json_with_base64_gives_the_same(client, photo):
    body = {"image": base64.b64encode(photo).decode(), "max_faces": 3}
    faces = client.post("/v1/align", json=body).json()["faces"]
    np.testing.assert_allclose(faces[0]["landmarks68"], post(client, photo).json()["faces"][0]["landmarks68"], atol=0.1)


def test_files_come_with_the_face_and_leave_nothing_behind(client, photo, tmp_path, monkeypatch):
    monkeypatch.setattr("ddfa.serve.engine._MEMORY", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = post(client, photo, parts="ply, JSON,depth8").json()["faces"][0]["files"]
    assert {kind: (file["name"], file["type"]) for kind, file in files.items()} == {
        "ply": ("face_0.ply", "application/octet-stream"),
        "json": ("face_0.json", "application/json"),
        "depth8": ("face_0_depth8.png", "image/png"),
    }
    mesh = trimesh.load(io.BytesIO(base64.b64decode(files["ply"]["data"])), file_type="ply", process=False)
    assert len(mesh.vertices) > 5000
    assert not list(tmp_path.iterdir())


def test_the_largest_faces_are_answered(client, root):
    two = (root / "samples" / "test1.jpg").read_bytes()
    both = post(client, two).json()["faces"]
    assert len(both) == 2 and post(client, two, max_faces="1").json()["faces"][0]["box"] == both[0]["box"]


def test_a_photo_without_a_face_is_an_answer(client):
    blank = cv2.imencode(".png", np.full((80, 90, 3), 200, np.uint8))[1].tobytes()
    answer = post(client, blank)
    assert answer.status_code == 200 and answer.json()["faces"] == []


def png_that_claims(width, height):
    """A PNG of a few bytes that unpacks to width x height px: a decompression bomb."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


def as_gif(width, height):
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\0;"


@pytest.mark.parametrize(
    "bomb",
    [png_that_claims(60_000, 60_000), png_that_claims(2**31 - 1, 1), as_gif(65535, 65535)],
    ids=["png", "wide png", "gif"],
)
def test_bombs_are_refused_before_they_unpack(client, bomb):
    assert refused(post(client, bomb), 413, "too_many_pixels")


def test_a_picture_of_too_many_pixels_is_refused(client):
    buffer = io.BytesIO()
    Image.new("L", (2400, 2400)).save(buffer, "JPEG")
    assert refused(post(client, buffer.getvalue()), 413, "too_many_pixels")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff\xe0" + bytes(200),
        b"GIF89a\x09\0\x09\0<script>alert(1)</script>",
    ],
)
def test_what_is_no_picture_is_refused(client, content):
    answer = post(client, content)
    assert refused(answer, 415, "not_a_picture")


def test_a_photo_cut_off_is_refused_or_aligned(client, photo):
    for length in (3, 20, 300, len(photo) // 3):
        answer = post(client, photo[:length])
        assert refused(answer, 415, "not_a_picture") or answer.status_code == 200


def test_a_photo_that_is_a_page_too_is_a_photo(client, photo):
    answer = post(client, photo + b"<script>alert(1)</script>")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"parts": "exe"}, "exe"),
        ({"parts": "../../etc/passwd"}, "passwd"),
        ({"max_faces": "0"}, "max_faces"),
        ({"max_faces": "²"}, "max_faces"),
        ({"max_faces": "9" * 5000}, "max_faces"),
        ({"refine": "perhaps"}, "refine"),
    ],
)
def test_wrong_fields_are_named(client, photo, fields, told):
    answer = post(client, photo, **fields)
    assert refused(answer, 422, "invalid") and told in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 422, "invalid"),
        (b"[1]", "application/json", 422, "invalid"),
        (b'{"image": "?"}', "application/json", 422, "invalid"),
        (b'{"image": "", "url": "http://169.254.169.254/"}', "application/json", 422, "invalid"),
        (b'{"image": ' + b"[" * 100_000, "application/json", 422, "invalid"),
        (b'{"image": ""}', "application/json", 415, "not_a_picture"),
        (b"image=x", "application/x-www-form-urlencoded", 415, "wrong_type"),
        (b"x", "image/jpeg", 415, "wrong_type"),
        (b"x", "", 415, "wrong_type"),
        (b"--x", "multipart/form-data", 400, "bad_form"),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x", 400, "bad_form"),
        (b"--x--", "multipart/form-data; boundary=x", 422, "invalid"),
        (IMAGE_AS_TEXT, "multipart/form-data; boundary=x", 422, "invalid"),
    ],
)
def test_wrong_bodies_are_refused(client, body, kind, status, code):
    assert refused(client.post("/v1/align", content=body, headers={"content-type": kind}), status, code)


def test_text_that_is_no_unicode_is_an_error_answer(client):
    field = b'--x\r\nContent-Disposition: form-data; name="parts"\r\n\r\n+2AA-\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x; charset=utf-7"}
    assert refused(client.post("/v1/align", content=field, headers=kind), 422, "invalid")
    keys = (b'{"image": "", "\\ud800": 1}', b'{"image": "", "\xff": 1}', b'{"image": "\\ud800"}')
    for body in keys:
        answer = client.post("/v1/align", content=body, headers={"content-type": "application/json"})
        assert refused(answer, 422, "invalid")


def test_too_many_bytes_are_refused(client):
    kind = {"content-type": "application/json"}
    assert refused(client.post("/v1/align", content=bytes(2_000_001), headers=kind), 413, "too_large")
    pieces = (bytes(100_000) for _ in range(1000))  # of unknown length
    assert refused(client.post("/v1/align", content=pieces, headers=kind), 413, "too_large")


def test_large_photos_wait_for_memory_and_too_large_ones_are_refused(photo):
    large = cv2.imencode(".jpg", np.full((1200, 1600, 3), 90, np.uint8))[1].tobytes()
    with client_of(memory=16_000_000) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(client, photo), range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert refused(post(client, large), 413, "too_many_pixels")
        assert refused(post(client, bytes(3_000_000)), 503, "no_memory")
        assert post(client, photo).status_code == 200


def test_the_mean_head_is_a_glb_of_the_same_parts(client):
    answer = client.get("/v1/head")
    assert answer.headers["content-type"] == "model/gltf-binary"
    scene = trimesh.load(io.BytesIO(answer.content), file_type="glb")
    assert len(scene.geometry) == 4


def test_models_are_listed_the_used_one_first(client):
    models = client.get("/v1/models").json()["models"]
    assert [model["default"] for model in models] == [True] + [False] * (len(models) - 1)
    assert models[0]["name"] == "default" and models[0]["parameters"] == 144
