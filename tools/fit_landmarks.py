"""Find the iBUG-68 landmarks on the open head, from a published model that has them.

    python tools/fit_landmarks.py --published bfm_noneck_v3.pkl [--params params.npy]

Lids and lips are placed on their topological edges, the other points where the published ones fall on our registered
skin.  With the published model's parameters for many photos, our head is fitted to its faces and the landmarks are
moved to where its 68 points lie on average.  Writes tools/headbuild/landmarks.json (points on our own surface,
left-right symmetric), which tools/build_head.py reads; run that again afterwards.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from ddfa.data import registration
from ddfa.data.fit import fit, to_head
from ddfa.data.landmarks import place_landmarks, refine_landmarks, rings_from
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel

OUTPUT = Path(__file__).parent / "headbuild" / "landmarks.json"
NOSE_TIP = 30
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
    parser.add_argument("--published", type=Path, required=True, help="a 3DDFA_V2 bfm_noneck_v3.pkl")
    parser.add_argument("--params", type=Path, help="(n, 62) parameters that the published network gave for photos")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    head, published = HeadModel.load(), HeadModel.load(options.published)
    vertices, weights = find_landmarks(head, published)
    if options.params:
        head = dataclasses.replace(head, landmark_vertices=vertices, landmark_weights=weights.astype(np.float32))
        vertices, weights = refine_on_photos(head, published, np.load(options.params))
    points = {"vertices": vertices.tolist(), "weights": np.round(weights.astype(float), 5).tolist()}
    options.output.write_text(json.dumps(points).replace("]], ", "]],\n") + "\n")


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
    found = registration.register(guess, published, known)
    carriers = published.landmark_vertices[:, 0]
    others = [k for k in range(68) if k not in known]
    vertices[others], weights[others] = found.corners[carriers[others]], found.weights[carriers[others]]
    face = found.valid
    print(f"registration: {face.mean():.1%} of the vertices valid, mean gap {found.gaps[face].mean():.3f} mm")
    print("gaps of jaw, brows and nose, mm:", np.round(found.gaps[carriers[others]], 2).tolist())
    return place_landmarks(head, vertices, np.einsum("kcd,kc->kd", head.mean[vertices], weights))


def refine_on_photos(head: HeadModel, published: HeadModel, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit our head to the published model's faces; move all landmarks but the inner lips to where its points lie."""
    found = registration.register(head, published)
    chosen = np.flatnonzero(found.valid)[::20]
    corners, weights = found.corners[chosen], found.weights[chosen]
    own = LinearPoints(
        np.einsum("kcd,kc->kd", head.mean[corners], weights),
        np.einsum("mkcd,kc->mkd", head.points.bases[:, corners], weights),
        head.points.identities,
    )
    identity, expression = np.split(params[:, 12:], [len(published.identity_std)], axis=1)
    linear = params[:, :12].reshape(-1, 3, 4)[:, :, :3] * np.array([1, -1, 1])[:, None]  # y down

    def seen(points: np.ndarray) -> np.ndarray:
        return np.einsum("nij,nkj->nki", linear, points)

    fits = fit(
        own, seen(published.subset(chosen).decode(identity, expression)), np.ones(len(chosen)), head.identity_std
    )
    points = to_head(fits.pose, seen(published.decode_landmarks(identity, expression)))
    moved = refine_landmarks(head, fits.identity, fits.expression, points, range(60))
    for name, (vertices, shares) in (("before", (head.landmark_vertices, head.landmark_weights)), ("after", moved)):
        there = dataclasses.replace(head, landmark_vertices=vertices, landmark_weights=shares)
        residual = points - there.decode_landmarks(fits.identity, fits.expression)
        print(
            f"{name}: the 68 points of {len(params)} photos are {np.linalg.norm(residual, axis=2).mean():.2f} mm away"
        )
    return moved


def _nose_tip(head: HeadModel) -> int:
    nose = np.flatnonzero(head.regions["nose"] & (np.abs(head.mean[:, 0]) < 0.01))
    return int(nose[head.mean[nose, 2].argmax()])


def _edge(head: HeadModel, pocket: str, side: int, ring: int, upper: bool) -> np.ndarray:
    """Vertices of one side of a ring around an opening, both corners included, by rising x."""
    skin = head.regions["skin"]
    behind = head.triangles[head.regions[pocket][head.triangles].any(axis=1)]
    seed = skin & np.isin(np.arange(head.vertices), behind)
    if side:
        seed &= side * head.mean[:, 0] > 0
    rings = rings_from(head.triangles[skin[head.triangles].all(axis=1)], seed, ring)
    loop = np.flatnonzero(rings == ring)
    # Open the mouth to tell the lips apart.
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
