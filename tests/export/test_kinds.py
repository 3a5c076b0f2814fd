"""The registry of output files: complete, documented, the same for every command."""

from pathlib import Path

import numpy as np
import pytest

from ddfa.errors import OutputError
from ddfa.export import FACE_KINDS, IMAGE_KINDS, KINDS, FaceFiles, parse_kinds
from ddfa.export.kinds import kinds_help, require_modules

from ..face_factory import place_faces


def test_lists_are_parsed() -> None:
    assert parse_kinds("ply, JSON,,ply ") == ("ply", "json")
    assert parse_kinds(["sheet"]) == ("sheet",)
    assert parse_kinds("", optional=True) == ()


@pytest.mark.parametrize(("words", "known"), [("stl", None), ("", None), ("overlay", FACE_KINDS), ("ply,x" * 50, None)])
def test_unknown_kinds_are_named_with_the_choice(words: str, known: tuple[str, ...] | None) -> None:
    with pytest.raises(OutputError, match=r"^parts does not know '.{0,80}': choose from ply,obj"):
        parse_kinds(words, known, option="parts")


def test_every_kind_is_described(root: Path) -> None:
    """In the help of `ddfa align`, and with its file name in docs/outputs.md."""
    page = (root / "docs" / "outputs.md").read_text()
    assert set(KINDS) == {*FACE_KINDS, *IMAGE_KINDS}
    for name, kind in KINDS.items():
        assert f"{name} ({kind.help})" in kinds_help()
        stem = "NAME_I" if kind.per == "face" else "NAME"
        assert f"`{stem}{kind.ending}`" in page, f"docs/outputs.md does not explain {name}"


def test_file_names_are_different() -> None:
    """Kinds of one subject never overwrite each other."""
    for kinds in (FACE_KINDS, IMAGE_KINDS):
        endings = [KINDS[kind].ending for kind in kinds]
        assert len(set(endings)) == len(endings)


def test_files_are_written_face_by_face_then_of_the_image(toy_head, tmp_path: Path) -> None:
    faces = place_faces(toy_head, [(0, 0, 0), (20, 0, 0)])
    files = FaceFiles(faces, np.zeros((240, 320, 3), np.uint8), Path("x.jpg"))
    written = files.write_all(("txt", "scene_depth32", "visibility"), tmp_path / "x")
    names = ["x_0.txt", "x_0_visibility.npy", "x_1.txt", "x_1_visibility.npy", "x_depth.npy"]
    assert [path.name for path in written] == names
    assert all(path.stat().st_size for path in written)
    with pytest.raises(ValueError, match="unknown kind"):
        files.write("stl", 0, tmp_path / "x")


def test_missing_libraries_are_reported_before_any_work(monkeypatch) -> None:
    monkeypatch.setitem(KINDS, "ply", KINDS["ply"]._replace(module="ddfa.no_such_module"))
    with pytest.raises(ModuleNotFoundError):
        require_modules(("txt", "ply"))
