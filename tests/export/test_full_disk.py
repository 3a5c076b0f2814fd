"""Files onto a full disk: one clear error, nothing half-written."""

import os
import subprocess
import sys

import pytest

from ddfa.export.kinds import FACE_KINDS

WRITE = """
import resource, signal, sys
from importlib.util import find_spec
from pathlib import Path
import numpy as np
from ddfa.errors import OutputError
from ddfa.export.face_files import FaceFiles
from ddfa.export.kinds import FACE_KINDS
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
sys.path.insert(0, sys.argv[1])
from face_factory import place_faces
folder = Path(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
faces = place_faces(HeadModel.load(), [(20.0, 0.0, 0.0)])
photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
files = FaceFiles(faces, photo, Path("photo.jpg"), texture_size=64)
files.texture(0), files.maps(0), files.frontal(0), files.paf(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for kind in FACE_KINDS:
    if kind == "json" or kind == "usd" and find_spec("pxr") is None:
        continue
    try:
        files.write(kind, 0, folder / "x")
    except OutputError as error:
        assert str(folder) in str(error)
    else:
        raise SystemExit(kind + " was written")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_every_kind_fails_as_one(tmp_path, root) -> None:
    """A limit on the size of files stands for the full disk."""
    words = [sys.executable, "-c", WRITE, str(root / "tests"), str(tmp_path)]
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"}, cwd=root
    )
    assert done.returncode == 0, done.stderr
    assert FACE_KINDS and not list(tmp_path.iterdir())
