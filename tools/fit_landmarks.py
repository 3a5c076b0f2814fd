"""Find the iBUG-68 landmarks on the open head, from an original 3DDFA model that defines them.

    python tools/fit_landmarks.py --teacher mb1 [mb05] [--photos photos.tar --centred 0.74
        --mesh-teacher face_landmarker.task --limit 10000]

The teachers are imported 3DDFA_V2 bundles with the same head model. Eyelids and lips are placed on their topological
edges, the other points where those of the teachers' mean head project to our registered skin. With photos (face crops,
named as for `ddfa data label`), our head is fitted to the teachers' predictions, and its current landmarks except those
of the lower and inner lips move to their mean predicted positions. Writes tools/headbuild/landmarks.json (points on our
own surface, left-right symmetric), which tools/build_head.py reads; run that script afterwards.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from ddfa.data.pseudo_labels.fit import Fit
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.pseudo_labels.observation import observe
from ddfa.data.pseudo_labels.observed_fit import fit_observations
from ddfa.data.pseudo_labels.teacher import Teacher
from ddfa.data.pseudo_labels.teacher_map import TeacherMap, teacher_map
from ddfa.data.registration import correspondence
from ddfa.data.registration.landmark_placement import MIRRORED, place_landmarks, refine_landmarks, rings_from
from ddfa.data.sets.photos import Photos
from ddfa.errors import DDFAError
from ddfa.geometry.roi import central_square
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.session import Regressor

OUTPUT = Path(__file__).parent / "headbuild" / "landmarks.json"
NOSE_TIP = 30
REFINED = range(55)  # without the lower and inner lips, whose edges the mesh defines
VERTICES, BATCH = 1200, 32  # of the teachers' head that are fitted; photos per batch
# Chains of landmarks along an edge, from corner to corner: (pocket, side of the head, ring, upper?, landmarks).
# Rings count dense rows of vertices from the pocket outwards.
CHAINS = (
    ("eye_socket", -1, 6, True, (36, 37, 38, 39)),
    ("eye_socket", -1, 4, False, (36, 41, 40, 39)),
    ("eye_socket", 1, 6, True, (42, 43, 44, 45)),
    ("eye_socket", 1, 4, False, (42, 47, 46, 45)),
    ("mouth_inner", 0, 15, True, (48, 49, 50, 51, 52, 53, 54)),
    ("mouth_inner", 0, 15, False, (48, 59, 58, 57, 56, 55, 54)),
    ("mouth_inner", 0, 5, True, (60, 61, 62, 63, 64)),
    ("mouth_inner", 0, 5, False, (60, 67, 66, 65, 64)),
)


def main() -> None:
    """Find the points and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, nargs="+", required=True, help="bundles imported from 3DDFA_V2")
    parser.add_argument("--photos", type=Path, help="folder or uncompressed tar of face crops, to refine on")
    parser.add_argument("--mesh-teacher", type=Path, help="a face_landmarker.task, for eyelids and lips")
    parser.add_argument("--centred", type=float, default=1.0, help="width of the RoI as a share of the photo's width")
    parser.add_argument("--limit", type=int, default=0, help="use only the first N photos; 0 means all")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    try:
        vertices, weights = landmarks(options)
    except DDFAError as error:
        parser.exit(1, f"{error}\n")
    points = {"vertices": vertices.tolist(), "weights": np.round(weights.astype(float), 5).tolist()}
    options.output.write_text(json.dumps(points).replace("]], ", "]],\n") + "\n")


def landmarks(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Corners (68, 3) and weights (68, 3) of the landmarks: computed from scratch, or with photos refined."""
    head = HeadModel.load()
    published = HeadModel.load(Bundle.load(options.teacher[0]).head_path)
    if options.photos is None:
        return find_landmarks(head, published)
    return refine_on_photos(head, published, options)


def find_landmarks(head: HeadModel, published: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Corners (68, 3) and weights (68, 3) of the landmarks on the open head."""
    goal = published.landmark_points.mean
    vertices, weights = head.landmark_vertices.copy(), np.zeros((68, 3))
    known = [NOSE_TIP]
    vertices[NOSE_TIP], weights[NOSE_TIP] = _nose_tip(head), [1, 0, 0]
    for pocket, side, ring, upper, chain in CHAINS:
        edge = _edge(head, pocket, side, ring, upper)
        for landmark, (pair, share) in zip(chain, _along(head, edge, goal[list(chain), 0]), strict=True):
            vertices[landmark], weights[landmark] = [*pair, pair[1]], [1 - share, share, 0]
            known.append(landmark)
    known = sorted(set(known))
    guess = dataclasses.replace(head, landmark_vertices=vertices, landmark_weights=weights.astype(np.float32))
    found = correspondence.register(guess, published, known)
    carriers = published.landmark_vertices[:, 0]
    others = [k for k in range(68) if k not in known]
    vertices[others], weights[others] = found.corners[carriers[others]], found.weights[carriers[others]]
    face = found.valid
    print(f"registration: {face.mean():.1%} of the vertices valid, mean gap {found.gaps[face].mean():.3f} mm")
    print("gaps of jaw, brows and nose, mm:", np.round(found.gaps[carriers[others]], 2).tolist())
    return place_landmarks(head, vertices, np.einsum("kcd,kc->kd", head.mean[vertices], weights))


def refine_on_photos(
    head: HeadModel, published: HeadModel, options: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray]:
    """Fit our head to the teachers' predictions for photos; move the landmarks to their mean predicted positions."""
    mapping = teacher_map(head, published, VERTICES)
    teachers = [Teacher(Regressor(Bundle.load(path), threads=1), mapping.teacher) for path in options.teacher]
    mesh_teacher = options.mesh_teacher and MeshTeacher(options.mesh_teacher, head.expression_mirror)
    photos = Photos(options.photos)
    names = photos.names[: options.limit or None]
    identities, expressions, seen = [], [], []
    for start in range(0, len(names), BATCH):
        batch = [photos.read(name) for name in names[start : start + BATCH]]
        rois = np.stack([central_square(photo.shape[1], photo.shape[0], options.centred) for photo in batch])
        views, _ = observe([teachers], batch, rois)
        mesh = mesh_teacher and mesh_teacher.observe(batch, views[:, 0, -68:, :2])
        found = fit_observations(mapping, head, views, mesh=mesh)
        identities.append(found.identity)
        expressions.append(found.expression)
        seen.append(_seen_landmarks(mapping, found))
    identity, expression, points = map(np.concatenate, (identities, expressions, seen))
    moved = refine_landmarks(head, identity, expression, points, REFINED)
    for name, there in (("before", head), ("after", _with_landmarks(head, *moved))):
        distance = np.linalg.norm(points - there.decode_landmarks(identity, expression), axis=2).mean()
        print(f"{name}: the 68 points of {len(points)} photos are {distance:.2f} mm away")
    return moved


def _with_landmarks(head: HeadModel, vertices: np.ndarray, weights: np.ndarray) -> HeadModel:
    return dataclasses.replace(head, landmark_vertices=vertices, landmark_weights=weights.astype(np.float32))


def _seen_landmarks(mapping: TeacherMap, found: Fit) -> np.ndarray:
    """The landmarks predicted by the teachers, (n, 68, 3) in head space, mean of original and mirrored views."""
    points = found.residual + mapping.own.decode(found.identity, found.expression)
    plain, mirrored = (half[:, -68:] for half in np.split(points, 2, axis=1))
    return (plain + mirrored[:, MIRRORED]) / 2


def _nose_tip(head: HeadModel) -> int:
    nose = np.flatnonzero(head.regions["nose"] & (np.abs(head.mean[:, 0]) < 0.01))
    return int(nose[head.mean[nose, 2].argmax()])


def _edge(head: HeadModel, pocket: str, side: int, ring: int, upper: bool) -> np.ndarray:
    """Vertices of one side of a ring around an eye or the mouth, including both corners, by increasing x."""
    skin = head.regions["skin"]
    behind = head.triangles[head.regions[pocket][head.triangles].any(axis=1)]
    seed = skin & np.isin(np.arange(head.vertices), behind)
    if side:
        seed &= side * head.mean[:, 0] > 0
    rings = rings_from(head.triangles[skin[head.triangles].all(axis=1)], seed, ring)
    loop = np.flatnonzero(rings == ring)
    # Open the mouth to separate the lips.
    expression = np.zeros((1, len(head.expression_names)))
    expression[0, head.expression_names.index("jawOpen")] = 1.0
    shape = head.decode(np.zeros((1, 0)), expression)[0][loop]
    low, high = shape[:, 0].argmin(), shape[:, 0].argmax()
    line = np.interp(shape[:, 0], shape[[low, high], 0], shape[[low, high], 1])
    chosen = (shape[:, 1] > line) == upper
    chosen[[low, high]] = True
    loop = loop[chosen]
    return loop[np.argsort(head.mean[loop, 0])]


def _along(head: HeadModel, edge: np.ndarray, goal_x: np.ndarray) -> list[tuple[tuple[int, int], float]]:
    """Points of an edge at the same fractions of its width as the goals: vertex pairs and shares of the second."""
    x = head.mean[edge, 0]
    wanted = x[0] + (x[-1] - x[0]) * (goal_x - goal_x[0]) / (goal_x[-1] - goal_x[0])
    place = np.interp(wanted, x, np.arange(len(x)))
    first = np.minimum(place.astype(int), len(x) - 2)
    return [((int(edge[i]), int(edge[i + 1])), float(p - i)) for i, p in zip(first, place, strict=True)]


if __name__ == "__main__":
    main()
