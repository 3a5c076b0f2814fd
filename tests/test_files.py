"""Files are written completely or not at all."""

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from ddfa.errors import DataError, ModelError, OutputError
from ddfa.files import PendingFile, atomic_path, make_folder, shipped_bytes, tar_spans, write_atomically


def test_write_and_replace(tmp_path: Path) -> None:
    target = tmp_path / "é result.txt"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_long_name(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    write_atomically(target, b"x")
    assert target.read_bytes() == b"x"


def unwritable_places(tmp_path: Path) -> list[Path]:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    return [tmp_path / "file" / "out", tmp_path / "missing" / "out", tmp_path / "folder", Path("/proc/out.txt")]


@pytest.mark.parametrize("place", range(4))
def test_unwritable(tmp_path: Path, place: int) -> None:
    with pytest.raises(OutputError, match="choose another") as caught:
        write_atomically(unwritable_places(tmp_path)[place], b"x")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomically(tmp_path / "out", b"x")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.txt"
    write_atomically(target, b"old")
    real = Path.write_bytes

    def fail(self: Path, content: bytes) -> int:
        real(self, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_atomic_path_keeps_the_suffix_and_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "labels.npz"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".npz" and temporary.parent == tmp_path and temporary.name.startswith(".")
        temporary.write_bytes(b"x")
        assert not target.exists()
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, DataError])
def test_a_failed_block_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "result"
    target.write_bytes(b"old")

    def write() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"new")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"), atomic_path(tmp_path / "result"):
        pass


def test_a_pending_file_is_committed_or_discarded(tmp_path: Path) -> None:
    for commit in (False, True):
        pending = PendingFile(tmp_path / "video.mp4")
        pending.temporary.write_bytes(b"x")
        if commit:
            pending.commit()
        pending.discard()
        assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"] * commit
    assert "(full): choose another" in str(pending.failure(ValueError("full\nmore")))


def test_shipped_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"w")
    assert shipped_bytes(path, hashlib.sha256(b"w").hexdigest(), "weights", ModelError) == b"w"
    with pytest.raises(ModelError, match="damaged"):
        shipped_bytes(path, "0", "weights", ModelError)
    with pytest.raises(ModelError, match="reinstall"):
        shipped_bytes(tmp_path / "gone", "0", "weights", ModelError)


def test_make_folder(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    for blocked in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(OutputError, match="choose another"):
            make_folder(blocked)


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
