"""Name the parts of the skin, on the control mesh."""

import numpy as np

from ddfa.data.registration.landmark_placement import rings_from

from .control import Control
from .source import Floats, Ints, MakeHuman

EAR_FRONT = 12.0  # mm, z of the tragus
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
    regions["ears"] = (
        moved(source, control, ["ears/l-ear-trans-up", "ears/r-ear-trans-up"]) & skin & (mean[:, 2] < EAR_FRONT)
    )
    regions["nose"] = moved(source, control, ["nose/nose-trans-forward"]) & skin
    graph = control.triangles[control.parts == 0]
    regions["lips"] = _rings(graph, skin & by_part[1], LIP_RINGS)
    lids = _rings(graph, skin & by_part[2], LID_RINGS)
    regions["eyelid_left"], regions["eyelid_right"] = lids & (mean[:, 0] > 0), lids & (mean[:, 0] < 0)
    regions["neck"] = skin & ~_below(control, "head")
    regions["hair"] = hair_at(mean) & skin & ~regions["ears"]
    regions["face"] = face_at(mean) & skin & ~regions["ears"]
    return regions


def _rings(graph: Ints, seed: np.ndarray, count: int) -> np.ndarray:
    return rings_from(graph, seed, count) >= 0


def moved(source: MakeHuman, control: Control, targets: list[str]) -> np.ndarray:
    """Control points that the targets move by nearly their largest displacement."""
    length = sum(np.linalg.norm(control.select @ source.target(name), axis=1) for name in targets)
    return length > 0.8 * np.max(length)


def _below(control: Control, island: str) -> np.ndarray:
    index = control.island_names.index(island)
    return np.isin(np.arange(control.select.shape[0]), control.triangles[control.islands == index])


def hair_at(points: Floats) -> np.ndarray:
    """The part of the skull that hair usually covers: above the forehead and behind the ears."""
    _, y, z = points.T
    # In profile the hairline runs from the top of the forehead down to the ear, then to the nape.
    front = np.interp(y, [-45, -25, 0, 30, 60, 85, 92], [-30, -15, 5, 28, 44, 60, 200])
    return (z < front) & (y > -45)


def face_at(points: Floats) -> np.ndarray:
    """The face: in front of the ears, from the edge of the jaw up to the hairline."""
    _, y, z = points.T
    jaw = -84 + 0.36 * (95 - z)
    return (y > jaw) & (z > 0) & ~hair_at(points)
