"""Who replaces whom, as written on the command line."""

from pathlib import Path

import pytest

from ddfa.commands.source_words import SourceWords, names_pair, parse_sources
from ddfa.errors import DDFAError


def test_photos_without_whom_are_one_person() -> None:
    assert parse_sources(["a.jpg", "b.png"]) == [SourceWords((Path("a.jpg"), Path("b.png")), (0, 0), 0)]
    assert parse_sources(["a.jpg"], "all", 2) == [SourceWords((Path("a.jpg"),), (2,), None)]
    assert parse_sources(["a.jpg"], "x/b.jpg")[0].who == Path("x/b.jpg")


def test_pairs_are_grouped_by_whom_they_replace() -> None:
    people = parse_sources(["a.jpg:1", "b.JPG#3:c d.jpg", "side.png:1", "e.jpg:all"])
    assert people == [
        SourceWords((Path("a.jpg"), Path("side.png")), (0, 0), 1),
        SourceWords((Path("b.JPG"),), (3,), Path("c d.jpg")),
        SourceWords((Path("e.jpg"),), (0,), None),
    ]
    assert parse_sources([r"C:\a.jpg:D:\b.jpg"])[0] == SourceWords((Path(r"C:\a.jpg"),), (0,), Path(r"D:\b.jpg"))
    assert parse_sources(["a.jpg#1"])[0] == SourceWords((Path("a.jpg"),), (1,), 0)


def test_a_file_of_that_name_is_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg:1.jpg").touch()
    assert not names_pair("a.jpg:1.jpg") and names_pair("a.jpg:2.jpg") and not names_pair("clip.mp4")
    assert parse_sources(["a.jpg:1.jpg"])[0].photos == (Path("a.jpg:1.jpg"),)


@pytest.mark.parametrize(
    ("words", "face", "named"),
    [
        (["a.jpg:0", "b.jpg"], None, r"b\.jpg does not say whom it replaces"),
        (["a.jpg:0"], "1", r"--face 1: the sources name whom they replace"),
        (["a.jpg:"], None, r"a\.jpg:: what follows the colon is a number from 0, all, or a photo"),
        (["a.jpg:-1"], None, "not '-1'"),
        (["a.jpg#x:0"], None, r"a\.jpg#x:0: after # comes the number of a face"),
        (["a.jpg"], "two", "--face is a number from 0, all, or a photo"),
    ],
)
def test_mistakes(words: list[str], face: str | None, named: str) -> None:
    with pytest.raises(DDFAError, match=named):
        parse_sources(words, face)
    with pytest.raises(DDFAError, match="--source-face -1"):
        parse_sources(["a.jpg"], None, -1)
