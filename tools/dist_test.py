"""Build the wheel and the source distribution and try them in clean environments, one per extra: `make dist-test`.

The wheel is built from the source distribution, so that it shows whether that is complete. Each environment gets the
wheel with one extra and runs commands that need it, outside the repository.

    python tools/dist_test.py                        # every extra but `ray` and `train`, which are large
    python tools/dist_test.py --extras "" serve      # without extras; with `serve`
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "samples" / "test1.jpg"

CLIP = """
from ddfa import read_image
from ddfa.video.io.frames import VideoWriter
image = read_image("photo.jpg")[:600, :600]
with VideoWriter("clip.mp4", (600, 600), 10) as clip:
    for number in range(5):
        clip.write(image, number / 10)
"""
ALIGN = """
import sys, ddfa
faces = ddfa.FaceAligner()(ddfa.read_image("photo.jpg"))
assert len(faces) == 2, len(faces)
assert not {"torch", "openvino", "av", "pyarrow", "fastapi"} & set(sys.modules)
"""
SERVICE = """
import subprocess, sys, time, urllib.request
service = subprocess.Popen([sys.executable, "-m", "ddfa.cli", "serve", "--port", "8765"])
try:
    for _ in range(100):
        time.sleep(0.3)
        try:
            assert urllib.request.urlopen("http://127.0.0.1:8765/readyz", timeout=5).status == 200
            break
        except OSError:
            assert service.poll() is None
    else:
        sys.exit("the service does not answer")
finally:
    service.terminate()
    service.wait(30)
"""
# What is run with each extra: arguments of `ddfa`, or a program for `python -c`.
TRIALS: dict[str, list[list[str] | str]] = {
    "": [["--version"], ["--help"], ["train", "--help"], ["align", "photo.jpg", "-o", "align"], ALIGN],
    "video": [CLIP, ["video", "clip.mp4", "-o", "out.mp4", "--data", "out.parquet"]],
    "batch": [["batch", "photos", "-o", "faces"]],
    "serve": [SERVICE],
    "heic": ["import pillow_heif, ddfa.formats.heif"],
    "pandas": ["import ddfa; assert len(ddfa.FaceAligner()('photo.jpg').to_pandas()) == 2"],
    "usd": [["align", "photo.jpg", "-o", "usd", "--save", "usd"]],
    "c2pa": ["import c2pa, ddfa.provenance.c2pa"],
    "dlib": ["import dlib, ddfa.detect.dlib"],
    "ray": [["batch", "photos", "-o", "ray", "--engine", "ray"]],
    "train": [["train", "--help"], "import torch, onnx, openvino, ddfa.train.loop"],
}
LARGE = {"ray", "train"}


def main() -> None:
    """Build, check, and try every extra."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--extras", nargs="*", choices=list(TRIALS), default=[e for e in TRIALS if e not in LARGE])
    parser.add_argument("--keep", type=Path, help="folder for the built distributions")
    parser.add_argument("--tag", help="tag of a release; the version must be the same")
    parser.add_argument("--constraint", type=Path, help="pinned versions, such as constraints.txt")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel = build(options.keep.resolve() if options.keep else work / "dist", work)
        if options.tag and f"-{options.tag.removeprefix('v')}-" not in wheel.name:
            sys.exit(f"{wheel.name} is not of the version of the tag {options.tag}")
        print("| extra | environment, MB | seconds |\n|---|---|---|")
        for extra in options.extras:
            begun = monotonic()
            size = try_extra(wheel, extra, work, options.constraint)
            print(f"| {extra or 'none'} | {size / 1e6:.0f} | {monotonic() - begun:.0f} |", flush=True)


def build(output: Path, work: Path) -> Path:
    """Build both distributions into a folder; return the wheel."""
    python = environment(work / "build")
    run(python, "-m", "pip", "install", "--quiet", "build", "twine")
    run(python, "-m", "build", "--outdir", output, ROOT)  # the wheel from the source distribution
    run(python, "-m", "twine", "check", "--strict", *output.iterdir())
    (wheel,) = output.glob("*.whl")
    return wheel


def try_extra(wheel: Path, extra: str, work: Path, constraint: Path | None) -> int:
    """Install the wheel with an extra and run its trials; return the size of the environment in bytes."""
    folder = work / (extra or "base")
    python = environment(folder / "env")
    pins = ["--constraint", constraint.resolve()] if constraint else []
    run(python, "-m", "pip", "install", "--quiet", *pins, f"{wheel}[{extra}]" if extra else wheel)
    size = sum(path.stat().st_size for path in (folder / "env").rglob("*") if path.is_file() and not path.is_symlink())
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "photos/photo.jpg"):
        (folder / name).write_bytes(PHOTO.read_bytes())
    for trial in TRIALS[extra]:
        run(python, *(["-c", trial] if isinstance(trial, str) else ["-m", "ddfa.cli", *trial]), cwd=folder)
    return size


def environment(folder: Path) -> Path:
    """Create an empty environment; return its Python."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command: object, cwd: Path | None = None) -> None:
    """Run a command; on failure, print its output and stop."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], check=False, cwd=cwd, env=variables, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))[:300]}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


if __name__ == "__main__":
    main()
