"""Members of tars are located; damaged ones are a fault of the member."""

import io
import tarfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.errors import DataError
from ddfa.tars import TarMember, tar_members, tar_spans


def test_members_of_a_tar_are_located(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.jpg", "notes.txt"):
        (tmp_path / name).write_text(name * 200)
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for name in ("b.JPG", "notes.txt", "a.jpg"):
            archive.add(tmp_path / name, f"folder/{name}")
    content = (tmp_path / "all.tar").read_bytes()
    spans = list(tar_spans(lambda: (tmp_path / "all.tar").open("rb"), "all.tar", {".jpg"}))
    assert [name for name, _, _ in spans] == ["folder/b.JPG", "folder/a.jpg"]
    assert [content[start : start + length].decode() for _, start, length in spans] == ["b.JPG" * 200, "a.jpg" * 200]


@pytest.mark.parametrize("name", ["gone.tar", "words.tar"])
def test_files_that_are_not_tars_are_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "words.tar").write_bytes(b"words" * 500)
    with pytest.raises(DataError, match=rf"{name} as an uncompressed tar"):
        list(tar_spans(lambda: (tmp_path / name).open("rb"), name, {".jpg"}))


def members(path: Path) -> list[TarMember]:
    return list(tar_members(partial(path.open, "rb"), path.name, {".jpg"}))


def write_tar(path: Path, *entries: tarfile.TarInfo, content: bytes = b"photo") -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(content) if entry.size else None)
    return path


def entry(name: str, size: int = 5, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def test_links_in_a_tar_are_followed_and_other_kinds_have_a_fault(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "a.tar",
        entry("d/content"),
        entry("hard.jpg", 0, tarfile.LNKTYPE, "d/content"),
        entry("d/soft.jpg", 0, tarfile.SYMTYPE, "content"),
        entry("d/up.jpg", 0, tarfile.SYMTYPE, "../hard.jpg"),
        entry("lost.jpg", 0, tarfile.SYMTYPE, "/etc/passwd"),
        entry("fifo.jpg", 0, tarfile.FIFOTYPE),
        entry("folder.jpg", 0, tarfile.DIRTYPE),
        entry("last.jpg"),
    )
    found = {member.name: member for member in members(path)}
    assert list(found) == ["hard.jpg", "d/soft.jpg", "d/up.jpg", "lost.jpg", "fifo.jpg", "last.jpg"]
    assert {found[name][1:] for name in ("hard.jpg", "d/soft.jpg", "d/up.jpg")} == {(512, 5, "")}
    assert "link to /etc/passwd" in found["lost.jpg"].fault and "not a regular file" in found["fifo.jpg"].fault
    assert not found["last.jpg"].fault
    with pytest.raises(DataError, match=r"a.tar: lost.jpg \(a link"):
        list(tar_spans(partial(path.open, "rb"), "a.tar", {".jpg"}))


def test_a_sparse_member_has_a_fault(tmp_path: Path) -> None:
    sparse = entry("s.jpg")
    sparse.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": "9000"}
    path = write_tar(tmp_path / "a.tar", sparse, entry("b.jpg"))
    assert [(name, "sparse" in fault) for name, _, _, fault in members(path)] == [("s.jpg", True), ("b.jpg", False)]


def with_size(block: bytes, size: int, kind: bytes = b"0") -> bytes:
    """A header with another size, in the binary form that can be negative, and a valid checksum."""
    code = (b"\x80" + size.to_bytes(11, "big")) if size >= 0 else (b"\xff" + (256**11 + size).to_bytes(11, "big"))
    block = block[:124] + code + block[136:148] + b" " * 8 + kind + block[157:]
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


@pytest.mark.parametrize("size", [2**60, 6000, -1024, -(2**60)])
def test_impossible_sizes_are_a_fault_of_the_member(tmp_path: Path, size: int) -> None:
    content = write_tar(tmp_path / "a.tar", entry("a.jpg"), entry("b.jpg")).read_bytes()[:4096]
    (tmp_path / "a.tar").write_bytes(content[:1024] + with_size(content[1024:1536], size) + content[1536:])
    good, bad = members(tmp_path / "a.tar")
    assert good == ("a.jpg", 512, 5, "") and bad.name == "b.jpg" and f"{size} bytes" in bad.fault


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
@pytest.mark.parametrize("size", [2**50, 2**21, -1024])
@pytest.mark.parametrize("at", [0, 1024])
def test_impossible_headers_are_damage_and_cost_no_memory(tmp_path: Path, kind: bytes, size: int, at: int) -> None:
    content = write_tar(tmp_path / "a.tar", entry("a.jpg"), entry("b.jpg")).read_bytes()
    (tmp_path / "a.tar").write_bytes(content[:at] + with_size(content[at : at + 512], size, kind) + content[at + 512 :])
    *good, bad = members(tmp_path / "a.tar")
    assert [member.name for member in good] == ["a.jpg"] * (at > 0)
    assert not bad.name and "damaged at byte" in bad.fault and str(size) in bad.fault


def test_damage_after_the_first_member_is_reported(tmp_path: Path) -> None:
    content = write_tar(tmp_path / "a.tar", entry("a.jpg"), entry("b.jpg")).read_bytes()
    for damaged in (content[:1024] + b"garbage " * 256, content[:1300]):
        (tmp_path / "a.tar").write_bytes(damaged)
        good, bad = members(tmp_path / "a.tar")
        assert good.name == "a.jpg" and not bad.name and "damaged at byte" in bad.fault
    (tmp_path / "a.tar").write_bytes(content[:2048])  # without the blocks at the end
    assert [member.fault for member in members(tmp_path / "a.tar")] == ["", ""]


def tar_with_all_headers() -> bytes:
    sparse, long = entry("s.jpg"), entry("l" * 150 + ".jpg")
    sparse.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": "9000"}
    buffer = io.BytesIO()
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for info in (entry("a.jpg"), long, sparse, entry("d.jpg", 0, tarfile.LNKTYPE, "a.jpg")):
                archive.addfile(info, io.BytesIO(b"photo") if info.size else None)
            buffer.seek(archive.offset)  # the second tar overwrites the end of the first
    return buffer.getvalue()[: buffer.tell() + 1024]


TAR = tar_with_all_headers()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changed_bytes_of_a_tar_are_members_damage_or_one_error(data: st.DataObject) -> None:
    content = bytearray(TAR)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = list(tar_members(lambda: io.BytesIO(cut), "a.tar", {".jpg"}))
    except DataError:  # the only error; any other fails the test
        found = []
    for member in found:
        assert member.fault or 0 <= member.start <= member.start + member.length <= len(cut)
