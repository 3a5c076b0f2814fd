"""Files are written completely or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from ddfa.errors import DataError, ModelError, OutputError
from ddfa.files import (
    LARGEST,
    PendingFile,
    atomic_path,
    file_name,
    make_folder,
    printable,
    read_file,
    read_text,
    require_regular,
    shipped_bytes,
    write_atomically,
)


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


def test_names_that_are_not_utf8_are_escaped_and_restored() -> None:
    name = os.fsdecode(b"caf\xe9 \xff.jpg")
    assert printable(name) == "caf\\xe9 \\xff.jpg" and file_name(printable(name)) == name
    assert printable("é.jpg") == file_name("é.jpg") == "é.jpg"


def test_files_up_to_a_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1 << 20))
    assert len(read_file(path, DataError, 1 << 20)) == 1 << 20
    path.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(DataError, match=r"file is larger than 1 MB"):
        read_text(path, DataError, 1 << 20)
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)  # sparse: costs no disk
    with pytest.raises(DataError, match=r"larger than 1024 MB"):
        read_file(path, DataError)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    require_regular(tmp_path / "file")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero"), tmp_path / "gone"):
        with pytest.raises(OSError, match=r"not a regular file|No such file"):
            require_regular(path)
