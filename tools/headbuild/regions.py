"""Name the parts of the skin, on the control mesh."""

import numpy as np

from .control import Control
from .source import Floats, Ints, MakeHuman

LIP_RINGS = 7  # rows of vertices from the line where the lips meet to the edge of the red
ON_SKIN = ("skin", "ears", "nose", "lips", "eyelid_left", "eyelid_right", "neck", "hair", "face")
LID_RINGS = 7  # rows of vertices from the lid's edge to the fold above the eye


def control_regions(source: MakeHuman, control: Control, mean: Floats) -> dict[str, np.ndarray]:
    """Masks over the control points (eyeballs excluded): name -> (C,) bool.

    Args:
        source: the assets.
        control: the control mesh.
        mean: (C, 3) mean control points in head space, mm.
    """
    count = len(mean)
    by_part = [np.isin(np.arange(count), control.triangles[control.parts == part]) for part in range(6)]
    skin = by_part[0]
    regions = {"skin": skin, "mouth_inner": by_part[1] & ~skin, "eye_socket": by_part[2] & ~skin}
    regions |= {"teeth": by_part[3] | by_part[4], "tongue": by_part[5]}
    regions["ears"] = moved(source, control, ["ears/l-ear-trans-up", "ears/r-ear-trans-up"]) & skin
    regions["nose"] = moved(source, control, ["nose/nose-trans-forward"]) & skin
    graph = control.triangles[control.parts == 0]
    regions["lips"] = _rings(graph, skin & by_part[1], LIP_RINGS)
    lids = _rings(graph, skin & by_part[2], LID_RINGS)
    regions["eyelid_left"], regions["eyelid_right"] = lids & (mean[:, 0] > 0), lids & (mean[:, 0] < 0)
    regions["neck"] = skin & ~_below(control, "head")
    hair = _hair(mean) & skin & ~regions["ears"]
    regions["hair"] = hair
    regions["face"] = _face(mean) & skin & ~regions["ears"] & ~hair
    return regions


def rings_from(graph: Ints, seed: np.ndarray, count: int) -> Ints:
    """(C,) ring number of each vertex: 0 on the seed, -1 beyond the last."""
    distance = np.where(seed, 0, -1)
    for ring in range(1, count + 1):
        touched = (distance[graph] >= 0).any(axis=1)
        reached = np.unique(graph[touched])
        distance[reached[distance[reached] < 0]] = ring
    return distance


def _rings(graph: Ints, seed: np.ndarray, count: int) -> np.ndarray:
    return rings_from(graph, seed, count) >= 0


def moved(source: MakeHuman, control: Control, targets: list[str]) -> np.ndarray:
    """Control points that the targets move by at least half of their largest displacement."""
    length = sum(np.linalg.norm(control.select @ source.target(name), axis=1) for name in targets)
    return length > 0.5 * np.max(length)


def _below(control: Control, island: str) -> np.ndarray:
    index = control.island_names.index(island)
    return np.isin(np.arange(control.select.shape[0]), control.triangles[control.islands == index])


def _hair(mean: Floats) -> np.ndarray:
    """The part of the skull that hair usually covers: above the forehead and behind the ears."""
    x, y, z = mean.T
    # In profile the hairline runs from the top of the forehead down to the ear, then to the nape.
    front = np.interp(y, [-45, 0, 30, 60, 85], [-22, 5, 32, 52, 45])
    return (z < front) & (y > -45)


def _face(mean: Floats) -> np.ndarray:
    """What a frontal photo of the face shows: in front of the ears, from the chin up to the hairline."""
    x, y, z = mean.T
    return (z > 8) & (y > -75 - 0.0 * x)
