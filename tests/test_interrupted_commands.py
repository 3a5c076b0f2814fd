"""Commands that are interrupted, terminated or run out of disk: one line, nothing half-written, and the same command
goes on afterwards."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ddfa.cli import main
from ddfa.images import read_image, write_image

for library in ("av", "pyarrow", "torch"):
    pytest.importorskip(library, reason="needs the extras `video`, `batch` and `train`")

COMMANDS = ("align", "video", "replace", "replace video", "retarget", "batch", "label", "train")
Words = Callable[[str, Path], list[str]]


@pytest.fixture(scope="module")
def inputs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos and a video of one face."""
    from ddfa.video.io.frames import VideoWriter

    folder = tmp_path_factory.mktemp("inputs")
    (folder / "photos").mkdir()
    photo = np.ascontiguousarray(read_image(root / "samples" / "astronaut.jpg")[:300, :400])
    for k in range(4):
        write_image(folder / "photos" / f"{k}.jpg", np.roll(photo, 3 * k, axis=1))
    with VideoWriter(folder / "clip.mp4", (400, 300)) as writer:
        for k in range(12):
            writer.write(np.roll(photo, 2 * k, axis=1), k / 25)
    return folder


@pytest.fixture
def words(inputs: Path, labelled: Path) -> Words:
    """The words of a command that writes into a folder."""
    face, clip, photos = inputs / "photos" / "0.jpg", inputs / "clip.mp4", inputs / "photos"
    quick = "--arch mobilenet_v1_025 --batch-size 4 --resolution 32 --warmup 1 --worst 0 --held-out 0.4 --workers 0"
    quick += " --threads 1 --no-tensorboard --checkpoint-every 1 --samples"

    once = ("--chunk", "2", "--workers", "1")

    def made(command: str, out: Path) -> list[str]:
        return {
            "align": ["align", *map(str, sorted(photos.iterdir())), "-o", str(out), "--save", "glb,obj"],
            "video": ["video", str(clip), "-o", str(out / "v.mp4"), "--data", str(out / "v.jsonl")],
            "replace": ["replace", str(face), str(photos / "1.jpg"), "-o", str(out / "r.png")],
            "replace video": ["replace", str(face), str(clip), "-o", str(out / "r.mp4")],
            "retarget": ["retarget", str(face), str(clip), "-o", str(out / "t.mp4")],
            "batch": ["batch", str(photos), "-o", str(out), "--shard", "1", "--workers", "1"],
            "label": ["data", "label", "--photos", str(photos), "--teacher", "default", "--output", str(out), *once],
            "train": ["train", "--data", str(labelled), "--output", str(out), *quick.split(), "40"],
        }[command]

    return made


class Disk:
    """A file system of its own with little room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("a small file system cannot be mounted by this user")

    def fill(self, leave: int) -> None:
        """Leave only some bytes."""
        state = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize - leave))

    def free(self) -> None:
        """Make room."""
        (self.folder / "filler").unlink()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that can be filled."""
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


def leftovers(folder: Path) -> list[str]:
    """Temporary files and locks."""
    return sorted(path.name for path in folder.rglob(".*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(command: str, words: Words, disk: Disk, capfd) -> None:
    out = disk.folder / "out"
    out.mkdir()
    if command == "train":  # until its first checkpoint there is nothing to resume
        begun = words(command, out)
        assert main([*begun[:-1], "8"]) == 0
        disk.fill(leave=200_000)  # less than a checkpoint
        before = {path: path.read_bytes() for path in out.rglob("*.pt")}
        assert before
        given = [*begun, "--resume"]
    else:
        disk.fill(leave=8192)
        given = words(command, out)
    capfd.readouterr()
    assert main(given) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "No space left on device" in said
    assert leftovers(disk.folder) == []
    if command == "train":
        assert {path: path.read_bytes() for path in before} == before
    disk.free()
    assert main(given) == 0
    assert leftovers(disk.folder) == []


class Sender:
    """Sends a signal to this process as soon as a command has begun to write; only while the command runs."""

    def __init__(self, number: signal.Signals, folder: Path) -> None:
        self._number, self._folder = number, folder
        self._over, self.sent = threading.Event(), False
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            if any(self._folder.iterdir()):
                time.sleep(0.02)
                if not self._over.is_set():
                    self.sent = True
                    os.kill(os.getpid(), self._number)
                return
            time.sleep(0.001)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "batch"])  # tests/batch
def test_a_signal_is_one_line_and_the_same_command_goes_on(
    command: str, number: signal.Signals, words: Words, tmp_path: Path, capfd
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    given = words(command, out)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # after the command it would end the tests
    try:
        with Sender(number, out) as sender:
            code = main(given)
    finally:
        signal.signal(signal.SIGTERM, before)
    told = capfd.readouterr().err
    if code:  # otherwise it was faster
        assert sender.sent
        assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        word = "interrupted" if number == signal.SIGINT else "terminated"
        assert next(line for line in told.splitlines() if line.startswith("ddfa ")).partition(": ")[2].startswith(word)
        assert "Traceback" not in told and leftovers(out) == []
    if command == "train" and list(out.glob("*.pt")):
        given = [*given, "--resume"]
    assert main(given) == 0
    assert leftovers(out) == []
