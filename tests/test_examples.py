"""The examples run, on sample photos."""

import subprocess
import sys
from pathlib import Path

import pytest

from ddfa import read_image
from ddfa.errors import ModelError
from ddfa.regress.registry import find_bundle

try:
    find_bundle()
except ModelError:
    pytest.skip("needs the shipped weights", allow_module_level=True)

PHOTO, OTHER = "samples/astronaut.jpg", "samples/grace_hopper.jpg"
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(root: Path, name: str, *options: object) -> str:
    """The output of an example, run in the root of the repository as its first lines say."""
    command = [sys.executable, f"examples/{name}", *map(str, options)]
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_example_is_tested() -> None:
    """Each script is run below."""
    text = Path(__file__).read_text()
    assert all(path.name in text for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_notebooks(root: Path, path: Path, tmp_path: Path) -> None:
    """Every cell of a notebook runs; it is stored without outputs."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for name in ("samples", "training"):
        (tmp_path / name).symlink_to(root / name)
    folder = tmp_path / "examples" / "notebooks"
    folder.mkdir(parents=True)
    notebook = nbformat.read(path, 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


def test_own_detector(root: Path) -> None:
    assert "quality" in run(root, "own_detector.py", PHOTO)


def test_relight(root: Path, tmp_path: Path) -> None:
    run(root, "relight.py", PHOTO, tmp_path / "relit.png", "--azimuth", 70)
    assert read_image(tmp_path / "relit.png").shape == read_image(root / PHOTO).shape


def test_aligned_crops(root: Path, tmp_path: Path) -> None:
    run(root, "aligned_crops.py", "samples/test1.jpg", "--output", tmp_path)
    assert read_image(tmp_path / "test1_1.png").shape == (112, 112, 3)


def test_expression_transfer(root: Path, tmp_path: Path) -> None:
    run(root, "expression_transfer.py", OTHER, PHOTO, tmp_path / "head.glb")
    assert (tmp_path / "head.glb").read_bytes()[:4] == b"glTF"


def test_corpus_query(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    assert "4 faces" in run(root, "corpus_query.py", "samples", "--output", tmp_path / "faces")


def test_drowsiness(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from ddfa.video.io.frames import VideoWriter

    image = read_image(root / PHOTO)[:512, :512]
    with VideoWriter(tmp_path / "clip.mp4", (512, 512), 10) as clip:
        for number in range(5):
            clip.write(image, number / 10)
    assert run(root, "drowsiness.py", tmp_path / "clip.mp4").startswith("minute 0: PERCLOS 0.0 % of 5 frames")


def test_service_client(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "ddfa.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        try:
            address = service.stdout.readline().split()[2].rstrip("/")
            out = run(root, "service_client.py", PHOTO, "--address", address, "--save", tmp_path / "head.glb")
        finally:
            service.terminate()
    assert "turn" in out
    assert (tmp_path / "head.glb").read_bytes()[:4] == b"glTF"
