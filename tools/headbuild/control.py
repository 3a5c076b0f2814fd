"""The control mesh: which faces of the MakeHuman body make our head, before subdivision.

Body faces keep MakeHuman's vertices.  The eyeballs are spheres of our own, driven by four control points each
(centre and three axis tips) that are an affine fit to MakeHuman's coarse eye helper, so they follow every target.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, lil_matrix

from .source import Floats, Ints, MakeHuman, Quads
from .subdivide import edges_of

NECK_ROWS = 8  # rows of quads kept below MakeHuman's own head island
EYE_RINGS, EYE_SEGMENTS = 14, 32
EYE_SIZE = 0.97  # of the helper, so that the lids clear it
IRIS_DEG = 25.0  # half the angle at which the iris is seen from the eye's centre
EYE_BACK_DEG = 140.0  # the eyeball is left open at the back, where nothing can see it
PARTS = ("skin", "mouth_inner", "eye_socket", "teeth_upper", "teeth_lower", "tongue")


@dataclass(frozen=True)
class Control:
    """Control points and the triangles they carry (eyeballs come later).

    Attributes:
        select: (C, N) sparse, control points from MakeHuman vertices.
        mirror: (C,) control point at the mirrored place.
        triangles: (T, 3) counter-clockwise seen from outside.
        uv: (U, 2) MakeHuman's texture coordinates of these faces.
        uv_triangles: (T, 3) into uv.
        islands: (T,) index into `island_names`, one for each piece of the atlas.
        parts: (T,) index into PARTS.
        edges: (E, 2) the edges of the quads, without the diagonals.
        eyes: first control point of the left and of the right eye, four each.
    """

    select: csr_matrix
    mirror: Ints
    triangles: Ints
    uv: Floats
    uv_triangles: Ints
    islands: Ints
    island_names: tuple[str, ...]
    parts: Ints
    edges: Ints
    eyes: tuple[int, int]


def build_control(source: MakeHuman, mean: Floats) -> Control:
    """Select the head from the MakeHuman mesh and split its quads.

    Args:
        source: the assets.
        mean: (N, 3) left-right symmetric mean person, to choose the shorter diagonals.
    """
    pieces = _pieces(source)
    names = tuple(pieces)
    part_of = {"head": 0, "neck": 0, "mouth": 1, "socket_left": 2, "socket_right": 2}
    part_of |= {"teeth_upper": 3, "teeth_lower": 4, "tongue": 5}
    quads = np.concatenate([piece.vertices for piece in pieces.values()])
    uvs = np.concatenate([piece.uvs for piece in pieces.values()])
    island = np.repeat(np.arange(len(names)), [len(piece.vertices) for piece in pieces.values()])
    corners = _split(quads, mean, source.mirror)
    used = np.unique(quads)
    renumber = np.full(len(mean), -1)
    renumber[used] = np.arange(len(used))
    used_uv, uv_index = np.unique(uvs, return_inverse=True)
    uv_quads = uv_index.reshape(uvs.shape)
    rows = np.repeat(np.arange(len(quads)), 2)
    triangles = renumber[np.take_along_axis(quads[rows], corners, axis=1)]
    uv_triangles = np.take_along_axis(uv_quads[rows], corners, axis=1)
    first = len(used)
    select = lil_matrix((first + 8, len(mean)))
    select[np.arange(first), used] = 1.0
    for start, side in ((first, "l"), (first + 4, "r")):
        helper = np.unique(source.quads(f"helper-{side}-eye").vertices)
        select[start : start + 4, helper] = _eye_frame(mean[helper])
    mirror = np.concatenate(
        [renumber[source.mirror[used]], np.arange(first + 4, first + 8), np.arange(first, first + 4)]
    )
    return Control(
        csr_matrix(select), mirror, triangles, source.uvs[used_uv], uv_triangles, island[rows], names,
        np.array([part_of[name] for name in names])[island[rows]],
        renumber[np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)], (first, first + 4),
    )  # fmt: skip


def _pieces(source: MakeHuman) -> dict[str, Quads]:
    """The islands of MakeHuman's texture map that belong to the head, and some neck from the torso's island."""
    body = source.quads("body")
    labels = _islands(body, len(source.uvs))
    centre = {label: source.positions[body.vertices[labels == label]].mean(axis=(0, 1)) for label in np.unique(labels)}
    by_height = sorted(centre, key=lambda label: -centre[label][1])
    sockets = [label for label in by_height if (labels == label).sum() == 293]
    head = next(label for label in by_height if (labels == label).sum() == 3116)
    mouth = next(label for label in by_height if (labels == label).sum() == 398)
    left, right = sorted(sockets, key=lambda label: -centre[label][0])

    def pick(mask: Ints) -> Quads:
        return Quads(body.vertices[mask], body.uvs[mask])

    pieces = {
        "head": pick(labels == head),
        "neck": pick(_neck(source, body, labels == head)),
        "mouth": pick(labels == mouth),
    }
    pieces |= {"socket_left": pick(labels == left), "socket_right": pick(labels == right)}
    pieces |= {f"teeth_{x}": source.quads(f"helper-{x}-teeth") for x in ("upper", "lower")}
    return pieces | {"tongue": source.quads("helper-tongue")}


def _islands(quads: Quads, uv_count: int) -> Ints:
    """Connected component in the texture map of every face."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    one, other = quads.uvs.ravel(), np.roll(quads.uvs, -1, axis=1).ravel()
    graph = coo_matrix((np.ones(len(one)), (one, other)), (uv_count, uv_count))
    return connected_components(graph, directed=False)[1][quads.uvs[:, 0]]


def _neck(source: MakeHuman, body: Quads, head: Ints) -> Ints:
    """Rows of quads next to the head's island, grown one row at a time."""
    inside, grown = np.unique(body.vertices[head]), head.copy()
    labels = _islands(body, len(source.uvs))
    torso = labels == np.bincount(labels).argmax()
    lowest = source.positions[inside, 1].min()
    for _ in range(NECK_ROWS):
        touched = np.isin(body.vertices, inside).any(axis=1) & torso
        grown = grown | touched
        inside = np.unique(body.vertices[grown])
    high = source.positions[body.vertices, 1].min(axis=1) > lowest - 14.0
    return _without_spikes(body, grown & torso & high, head)


def _without_spikes(body: Quads, neck: Ints, head: Ints) -> Ints:
    """Drop neck quads that stick out of the lower border with two edges or more."""
    neck = neck.copy()
    edges = np.sort(np.stack([body.vertices, np.roll(body.vertices, -1, axis=1)], axis=-1), axis=-1)
    keys = edges[..., 0] * body.vertices.max() + edges[..., 1]
    while True:
        count = np.bincount(keys[neck | head].ravel(), minlength=keys.max() + 1)
        spikes = neck & ((count[keys] == 1).sum(axis=1) >= 2)
        if not spikes.any():
            return neck
        neck &= ~spikes


def trim_neck(control: Control, mean: Floats) -> Floats:
    """(C, 3) displacement that moves the ragged lower border of the neck into one plane, and the rest above it."""
    edges, _, faces = edges_of(control.triangles)
    border = np.intersect1d(edges[faces == 1], control.triangles[control.parts == 0])
    design = np.stack([np.ones(len(border)), mean[border, 2]], axis=1)
    height, tilt = np.linalg.lstsq(design, mean[border, 1], rcond=None)[0]
    skin = np.unique(control.triangles[control.parts == 0])
    above = mean[:, 1] - (height + tilt * mean[:, 2])
    field = np.zeros_like(mean)
    field[skin, 1] = np.maximum(1.5 - above[skin], 0.0)
    field[border, 1] = -above[border]
    return field


def _split(quads: Ints, mean: Floats, mirror: Ints) -> Ints:
    """Corner numbers (2F, 3) of two triangles for each quad: the shorter diagonal, the same on both sides."""
    a, b, c, d = (mean[quads[:, k]] for k in range(4))
    ac, bd = np.linalg.norm(a - c, axis=1), np.linalg.norm(b - d, axis=1)
    canonical = np.minimum(quads, mirror[quads])
    lowest_on_ac = canonical[:, [0, 2]].min(axis=1) < canonical[:, [1, 3]].min(axis=1)
    tie = np.abs(ac - bd) < 1e-6 * (ac + bd)
    first = np.where(tie, lowest_on_ac, ac < bd)[:, None, None]
    split = np.where(first, [[0, 1, 2], [0, 2, 3]], [[1, 2, 3], [1, 3, 0]])
    return split.reshape(-1, 3)


def _eye_frame(helper: Floats) -> Floats:
    """(4, H) weights: centre and three axis tips of the eyeball as an affine fit to the helper's vertices."""
    offsets = helper - helper.mean(axis=0)
    radius = np.linalg.norm(offsets, axis=1).mean()
    design = np.concatenate([np.ones((len(helper), 1)), offsets / radius], axis=1)
    fit = np.linalg.pinv(design)  # rows: centre, then the derivative along each axis
    fit[1:] = EYE_SIZE * fit[1:] + fit[0]
    return fit


def eyeball(side: int) -> tuple[Floats, Ints, Floats]:
    """A sphere open at the back, looking along +z; the right one is the mirror image of the left one.

    Args:
        side: +1 for the subject's left eye, -1 for the right one.

    Returns:
        Directions (E, 3) unit; triangles (T, 3) outward; texture coordinates (E, 2), the pupil in the middle of
        the unit square.
    """
    # Finer around the iris, where the image will need it.
    angles = np.radians(EYE_BACK_DEG) * np.linspace(0, 1, EYE_RINGS + 1)[1:] ** 1.15
    turns = 2 * np.pi * np.arange(EYE_SEGMENTS) / EYE_SEGMENTS
    angle, turn = np.repeat(angles, EYE_SEGMENTS), np.tile(turns, EYE_RINGS)
    ring = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=1)
    directions = np.concatenate([[[0.0, 0.0, 1.0]], ring])
    radius = np.concatenate([[0.0], angle / angles[-1]])
    turn = np.concatenate([[0.0], turn])
    uv = 0.5 + 0.5 * radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    here = 1 + np.arange(EYE_SEGMENTS)
    there = np.roll(here, -1)
    fan = np.stack([np.zeros_like(here), here, there], axis=1)
    strips = []
    for k in range(EYE_RINGS - 1):
        a, b = here + k * EYE_SEGMENTS, there + k * EYE_SEGMENTS
        c, d = a + EYE_SEGMENTS, b + EYE_SEGMENTS
        strips += [np.stack([a, c, d], axis=1), np.stack([a, d, b], axis=1)]
    triangles = np.concatenate([fan, *strips])
    if side < 0:
        directions, uv = directions * np.array([-1.0, 1.0, 1.0]), np.array([1.0, 0.0]) - uv * np.array([1.0, -1.0])
        triangles = triangles[:, ::-1]
    return directions, triangles, uv
