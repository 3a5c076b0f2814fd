"""Builds `src/ddfa/head/assets/landmark_sets.json`: landmarks of WFLW-98 and of a dense set of 478 on the open head.

    python tools/build_landmark_sets.py face_landmarker.task

WFLW-98 contains the 68 points of iBUG; its further ones lie between those on the jaw and the lids, below those of the
brows, and in the centres of the irises. The dense set has the number and order of MediaPipe's face mesh: the canonical
vertices in the model file (Apache-2.0) are aligned with the head by the points that both have, warped by a thin-plate
spline through them, and moved to the nearest point of the skin; the ten points of the irises are placed on the irises.
"""

import argparse
import json
import zipfile
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from ddfa.data.pseudo_labels.mesh_points import MESH_OF
from ddfa.data.registration.surface import closest_points
from ddfa.geometry.similarity import fit_similarity
from ddfa.head.landmark_sets import FILE
from ddfa.head.model import HeadModel

CANONICAL = 468
BROW_MM = 6.5  # from the upper to the lower edge of a brow
# The points of WFLW that are the 68 of iBUG, in the order of the latter: see `ddfa.data.pseudo_labels.points_teacher`.
EYES = (60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75)
WFLW_OF_IBUG = [*range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60), *EYES, *range(76, 96)]
# Middles of the lids: the four landmarks of a curve, between whose second and third they are.
LIDS = {62: (36, 37, 38, 39), 66: (39, 40, 41, 36), 70: (42, 43, 44, 45), 74: (45, 46, 47, 42)}
# Lower edges of the brows, from the nose (right) and from the temple (left): the landmark above.
BROWS = {38: 21, 39: 20, 40: 19, 41: 18, 47: 25, 48: 24, 49: 23, 50: 22}
# More points that both meshes have: bridge and tip of the nose, chin, in front of the ears.
ALSO = {168: 27, 1: 30, 152: 8, 234: 0, 454: 16}
# Iris points of the dense set: right, top, left and bottom in the image of a frontal face.
IRIS_RINGS = {"right": (468, 469, 470, 471, 472), "left": (473, 474, 475, 476, 477)}


class Skin:
    """The triangles on which landmarks may lie."""

    def __init__(self, head: HeadModel, region: np.ndarray) -> None:
        self.head = head
        self.triangles = head.triangles[region[head.triangles].all(axis=1)]

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corners (K, 3) and weights (K, 3) of the nearest points."""
        found = closest_points(points, self.head.mean, self.triangles)
        return self.triangles[found.triangles], found.weights


def wflw98(head: HeadModel, skin: Skin, irises: dict[str, Skin]) -> tuple[np.ndarray, np.ndarray]:
    """Corners and weights of the 98 points."""
    ibug = head.landmark_points.mean.astype(np.float64)
    points = np.zeros((98, 3))
    for jaw in range(16):
        points[2 * jaw + 1] = spline(ibug[[max(jaw - 1, 0), jaw, jaw + 1, min(jaw + 2, 16)]])
    for number, curve in LIDS.items():
        points[number] = spline(ibug[list(curve)])
    for number, above in BROWS.items():
        points[number] = ibug[above] + (0.0, -BROW_MM, 0.0)
    corners, weights = skin.at(points)
    for same, number in enumerate(WFLW_OF_IBUG):
        corners[number], weights[number] = head.landmark_vertices[same], head.landmark_weights[same]
    for number, side in ((96, "right"), (97, "left")):
        iris = irises[side]
        centre = head.mean[head.regions[f"iris_{side}"]].mean(axis=0)
        (corners[number],), (weights[number],) = iris.at(centre[None])
    return corners, weights


def mesh478(
    head: HeadModel, skin: Skin, irises: dict[str, Skin], canonical: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Corners and weights of the 478 points; `canonical` are the 468 vertices (468, 3)."""
    same = {ours: mesh for ours, mesh in MESH_OF.items() if ours < 68} | {ours: (mesh,) for mesh, ours in ALSO.items()}
    theirs = np.stack([canonical[list(mesh)].mean(axis=0) for mesh in same.values()])
    ours = head.landmark_points.mean[list(same)].astype(np.float64)
    near = fit_similarity(theirs, ours)
    place = lambda points: near.scale * points @ np.asarray(near.rotation).T + near.translation  # noqa: E731
    warp = RBFInterpolator(place(theirs), ours - place(theirs), kernel="thin_plate_spline", smoothing=2.0)
    corners, weights = skin.at(place(canonical) + warp(place(canonical)))
    for side, numbers in IRIS_RINGS.items():
        ring = head.mean[head.regions[f"iris_{side}"]].astype(np.float64)
        centre, radius = ring.mean(axis=0), np.ptp(ring[:, 1]) / 2
        offsets = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)], float)
        on, by = irises[side].at(centre + radius * offsets)
        assert numbers[0] == len(corners)
        corners, weights = np.concatenate([corners, on]), np.concatenate([weights, by])
    return corners, weights


def spline(points: np.ndarray) -> np.ndarray:
    """The middle between the second and third of four points of a curve (Catmull-Rom)."""
    return (9 * (points[1] + points[2]) - points[0] - points[3]) / 16


def read_canonical(task: Path) -> np.ndarray:
    """The canonical vertices (468, 3): x, y, z of the vertex buffer, whose rows also have u and v."""
    with zipfile.ZipFile(task) as archive:
        content = archive.read("geometry_pipeline_metadata_landmarks.binarypb")
    # A repeated float field of protocol buffers that is not packed: the tag of field 3, then four bytes, each time.
    record, count = np.dtype([("tag", "u1"), ("value", "<f4")]), CANONICAL * 5
    for start in range(len(content) - record.itemsize * count):
        found = np.frombuffer(content, record, count, start)
        if (found["tag"] == 0x1D).all():
            return found["value"].reshape(CANONICAL, 5)[:, :3].astype(np.float64)
    raise SystemExit(f"{task} contains no canonical face mesh")


def main() -> None:
    """Build the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path, help="a face_landmarker.task")
    canonical = read_canonical(parser.parse_args().task)
    head = HeadModel.load()
    skin = Skin(head, head.regions["skin"] & ~head.regions["ears"] & ~head.regions["mouth_inner"])
    irises = {side: Skin(head, head.regions[f"eye_{side}"]) for side in ("right", "left")}
    sets = {"wflw98": wflw98(head, skin, irises), "mesh478": mesh478(head, skin, irises, canonical)}
    content = {
        name: {"corners": corners.tolist(), "weights": np.round(weights, 5).tolist()}
        for name, (corners, weights) in sets.items()
    }
    FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size >> 10} kB")


if __name__ == "__main__":
    main()
