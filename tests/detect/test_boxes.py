"""Boxes from files, good and bad."""

import json
from pathlib import Path

import numpy as np
import pytest

from ddfa.detect.boxes import BoxFile, original_bbox_path, read_boxes
from ddfa.errors import DetectorError

FIRST, SECOND = [317.0, 382.0, 815.0, 1036.0], [2986.0, 298.0, 3480.0, 886.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("photo.jpg.bbox", "2\n1 317 382 815 1036\n2 2986 298 3480 886\n"),
        ("photo.jpg.bbox", "7\r\n1 317 382 815 1036\r\n\r\n9 2986 298 3480 886"),  # the count is ignored
        ("boxes.txt", "# x0 y0 x1 y1\n317 382 815 1036\n2986, 298, 3480, 886  # right\n"),
        ("boxes.txt", "\ufeff317 382 815 1036 1.0\n2986 298 3480 886 1\n"),
        ("boxes.json", json.dumps([FIRST, SECOND])),
        ("boxes.JSON", json.dumps([[*FIRST, 1], SECOND])),
    ],
)
def test_formats(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    found = read_boxes(tmp_path / name)
    np.testing.assert_array_equal(found.boxes, [FIRST, SECOND])
    np.testing.assert_array_equal(found.scores, [1, 1])


def test_scores(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("1 2 3 4 0.25\n")
    assert read_boxes(tmp_path / "b.txt").scores.tolist() == [0.25]


@pytest.mark.parametrize("text", ["", "0\n", "# nobody\n"])
def test_no_face(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.bbox").write_text(text)
    assert len(read_boxes(tmp_path / "b.bbox")) == 0


def test_original_file(shared_data: Path) -> None:
    photo = shared_data / "reference" / "photos" / "three_profiles.jpg"
    found = read_boxes(original_bbox_path(photo))
    assert found.boxes.tolist() == [FIRST, SECOND, [1694, 241, 2048, 733]]


def test_several_photos(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"a.jpg": [FIRST], "folder/b.jpg": [SECOND, FIRST], "none.jpg": []}))
    file = BoxFile(path)
    assert not file.is_for_one_photo
    assert file.boxes_of(Path("anywhere/a.jpg")).boxes.tolist() == [FIRST]
    assert len(file.boxes_of(Path("folder/b.jpg"))) == 2
    assert len(file.boxes_of(Path("none.jpg"))) == 0
    with pytest.raises(DetectorError, match=r"no boxes for c\.jpg"):
        file.boxes_of(Path("c.jpg"))
    with pytest.raises(DetectorError, match="several photos"):
        read_boxes(path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("b.txt", b"one two three four", "numbers"),
        ("b.txt", b"1 2 3", "x0 y0 x1 y1"),
        ("b.txt", b"1 2 nan 4", "NaN"),
        ("b.txt", b"9 2 3 4", "empty"),
        ("b.bbox", b"1\n317 382 815 1036", "id left top right bottom"),
        ("b.txt", b"\xff\xfe\x00\x01", "not a text file"),
        ("b.json", b"{", "not valid JSON"),
        ("b.json", b"5", "list of boxes"),
        ("b.json", b'{"a.jpg": 5}', "list of boxes"),
        ("b.json", b'[["x", 2, 3, 4]]', "list of numbers"),
        ("b.json", b"[1, 2, 3, 4]", "list of numbers"),
        ("b.json", b'{"a.jpg": [[1, 2]]}', "x0 y0 x1 y1"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DetectorError, match=reason) as caught:
        BoxFile(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.bbox", tmp_path):
        with pytest.raises(DetectorError, match=r"does not exist|is a folder"):
            read_boxes(path)
