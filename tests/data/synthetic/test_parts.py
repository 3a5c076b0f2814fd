"""What synthetic heads are made of: noise, backgrounds, light, meshes, skin, hair, eyes, and their rendering."""

import numpy as np
import pytest

from ddfa.data.synthetic.backdrops import random_backdrop, random_colour
from ddfa.data.synthetic.faces import Wardrobe
from ddfa.data.synthetic.interior import Inner, random_look
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.data.synthetic.objects.accessories import Shoulders, glasses
from ddfa.data.synthetic.objects.hair import Scalp, Style, random_style
from ddfa.data.synthetic.objects.strips import joined, sheet, tube
from ddfa.data.synthetic.scene import Painter, Scene
from ddfa.data.synthetic.skin import paint_skin, plain_skin
from ddfa.data.synthetic.tongue import bend_tongue
from ddfa.data.synthetic.visibility import UnitVisibility, visible_vertices
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.raster.lighting import light_from, shading
from ddfa.raster.rasterize import rasterize, vertex_normals
from ddfa.texture.atlas import Atlas

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


@pytest.fixture(scope="module")
def atlas(head):
    return Atlas(head, 128)


def test_noise_is_standardised_and_streaked():
    field = smooth_noise(RNG(0), 200, (10, 10), 2)
    assert field.shape == (200, 200, 2) and abs(field.mean()) < 0.1 and 0.7 < field.std() < 1.3
    streaks = smooth_noise(RNG(0), 200, (3, 100))[..., 0]
    assert np.abs(np.diff(streaks, axis=0)).mean() < 0.2 * np.abs(np.diff(streaks, axis=1)).mean()


@pytest.mark.parametrize("seed", range(4))
def test_backdrops_and_colours_are_valid(seed):
    ground = random_backdrop(48, RNG(seed))
    assert ground.shape == (48, 48, 3) and ground.min() >= 0 and ground.max() <= 1
    assert 0 < random_colour(RNG(seed)).min() <= random_colour(RNG(seed)).max() < 1


@pytest.mark.parametrize("seed", range(10))
def test_light_is_exposed_for_a_face(seed):
    light, main = random_light(RNG(seed))
    assert light.shape == (9, 3) and np.linalg.norm(main) == pytest.approx(1)
    assert 0.2 < shading(np.array([[0, 0, 1.0]]), light).mean() < 1.4


def test_a_sheet_faces_its_outside_and_a_tube_has_its_radius():
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0, 0, -1))
    part = sheet(np.stack([x, y, np.zeros_like(x)], axis=-1), np.ones(3))
    np.testing.assert_allclose(vertex_normals(part.vertices, part.triangles)[:, 2], 1)
    line = np.column_stack([np.linspace(0, 10, 6), np.zeros(6), np.zeros(6)])
    wire = tube(line, 2.0, np.ones(3))
    np.testing.assert_allclose(np.hypot(wire.vertices[:, 1], wire.vertices[:, 2]), 2, atol=1e-5)
    both = joined([part, wire])
    assert len(both.vertices) == len(part.vertices) + len(wire.vertices)
    np.testing.assert_array_equal(both.triangles[len(part.triangles) :], wire.triangles + len(part.vertices))


def test_glasses_lie_in_front_of_the_eyes(head):
    points = head.landmark_points.mean
    mesh = joined(glasses(points, head.mean, RNG(0)))
    assert mesh.vertices[:, 2].max() > points[36:48, 2].max()
    assert np.abs(mesh.vertices[:, 0]).max() > np.abs(points[36:48, 0]).max()


def test_shoulders_continue_the_neck(head):
    part = Shoulders(head, np.ones(head.vertices, np.float32)).draw(
        head.mean, (0.0, 0.0, 0.0), np.full(3, 0.5, np.float32), RNG(0)
    )
    neck = head.mean[head.regions["neck"], 1].min()
    assert neck < part.vertices[:, 1].max() < neck + 60 and part.vertices[:, 1].min() < neck - 200
    assert np.ptp(part.vertices[:, 0]) > 350


def test_hair_lifts_the_scalp_and_leaves_the_face(head, atlas):
    scalp, style = Scalp(atlas), Style(np.full(3, 0.1, np.float32), None, 20.0, 0.0, 0.0, 0.0, 120.0, 80.0)
    moved = np.linalg.norm(scalp.raise_surface(head.mean, style, RNG(0)) - head.mean, axis=1)
    face = head.regions["face"] & (head.mean[:, 1] < 0) & (np.abs(head.mean[:, 0]) < 40)
    assert moved[face].max() == 0 and moved[head.regions["hair"]].mean() > 10
    (curtain,) = scalp.extras(head.mean, style, RNG(0))
    assert curtain.vertices[:, 1].min() < -100
    texture = np.full((atlas.size, atlas.size, 3), 0.8, np.float32)
    painted = scalp.paint(texture, style, RNG(0))
    assert painted[atlas.hair > 0.95].mean() < 0.3
    assert painted[(atlas.face > 0.95) & (atlas.position[..., 1] < 0)].min() == pytest.approx(0.8, abs=0.01)


def test_styles_vary():
    styles = [random_style(np.full(3, 0.2, np.float32), RNG(seed)) for seed in range(200)]
    assert 0.05 < np.mean([style.cloth is not None for style in styles]) < 0.3
    assert any(style.curtain_mm > 0 for style in styles) and any(style.thickness_mm == 0 for style in styles)


@pytest.mark.parametrize("seed", range(3))
def test_skin_and_eyes_are_reflectances(atlas, seed):
    texture = paint_skin(atlas, np.full(3, 0.1, np.float32), RNG(seed))
    texture = Inner(atlas).paint(texture, np.full(3, 0.6, np.float32), RNG(seed))
    assert np.isfinite(texture).all() and texture.min() >= 0 and texture.max() < 1.6


def test_bare_skin_has_its_tone(atlas):
    tone = np.float32([0.7, 0.5, 0.4])
    found = np.median(plain_skin(atlas, tone, RNG(0))[(atlas.face > 0.9) & (atlas.flush < 0.1)], axis=0)
    np.testing.assert_allclose(found, tone, rtol=0.15)


def test_procedural_faces_and_photos_of_nothing(atlas):
    wardrobe = Wardrobe(atlas)
    face = wardrobe.painted(RNG(0))
    assert face.texture.shape == (128, 128, 3) and (face.skin > 0).all()
    outside = atlas.head.mean + np.float32([5000, 0, 0])
    assert wardrobe.photographed(np.full((64, 64, 3), 128, np.uint8), outside, RNG(0)) is None


def test_a_scene_is_lit_from_its_light_and_keeps_its_background(head, atlas):
    pose = np.array([[0.3, 0, 0, 48], [0, -0.3, 0, 48], [0, 0, 0.3, 0]])
    ground = np.full((96, 96, 3), 0.25, np.float32)
    texture = np.full((128, 128, 3), 0.5, np.float32)
    direction = np.array([0.8, 0.0, 0.6])
    light = light_from(direction, np.ones(3))
    scene = Scene(head.mean, texture, [], pose, light, direction, 0.0, ground, random_look(RNG(0)))
    image = Painter(atlas, np.ones(head.vertices, np.float32)).draw(scene).image
    np.testing.assert_allclose(image[0, 0], 0.25)
    assert image[48, 58:64].mean() > image[48, 32:38].mean() + 0.1, "the light comes from the right"


def units(head, **amounts):
    expression = np.zeros(52, np.float32)
    for name, value in amounts.items():
        expression[head.expression_names.index(name)] = value
    return expression


def rendered_eye(head, atlas, **amounts):
    """The left eye of a frontal head, 4 px per mm, and where its pupil is."""
    shape = head.decode(np.zeros((1, 0)), units(head, **amounts)[None])[0]
    centre = head.mean[head.regions["eye_left"]].mean(axis=0)
    pose = np.array([[4.0, 0, 0, 60 - 4 * centre[0]], [0, -4.0, 0, 40 + 4 * centre[1]], [0, 0, 4.0, 0]])
    texture = np.full((atlas.size, atlas.size, 3), 0.6, np.float32)
    light = light_from(np.array([0.0, 0, 1]), np.full(3, 0.8))
    light[0] += 0.3
    ground = np.zeros((120, 120, 3), np.float32)
    look = random_look(RNG(1))._replace(shine=0.0, iris=np.float32([0.3, 0.18, 0.1]), white=np.float32([0.9, 0.9, 0.9]))
    scene = Scene(shape, texture, [], pose, light, np.array([0.0, 0, 1]), 0.0, ground, look)
    image = Painter(atlas, np.ones(head.vertices, np.float32)).draw(scene).image
    pupil = shape[head.regions["eye_left"]][head.mean[head.regions["eye_left"], 2].argmax()]
    return image, (pose[:, :3] @ pupil + pose[:, 3])[:2]


@pytest.mark.parametrize("gaze", [{}, {"eyeLookOutLeft": 1.0}, {"eyeLookInLeft": 1.0}])
def test_eyes_have_a_pupil_an_iris_and_whites_where_they_look(head, atlas, gaze):
    image, (x, y) = rendered_eye(head, atlas, **gaze, eyeWideLeft=1.0)
    column, row = round(x), round(y)
    brightness = image.mean(axis=2)
    assert brightness[row, column] < 0.1  # the pupil
    dark = np.flatnonzero(brightness[row] < 0.45 * brightness[row].max())
    near = dark[np.abs(dark - column) < 26]
    assert 8.5 < np.ptp(near) / 4 + 0.25 < 12.5 or gaze  # the iris, mm; 11.7 mm where pupils are 63 mm apart
    sides = brightness[row, [max(column - 28, 0), min(column + 28, 119)]]
    assert sides.max() > 0.6  # the white


def test_tongues_bend_and_nothing_else_does(head):
    expression = units(head, jawOpen=0.4, tongueOut=1.0)
    shape = head.decode(np.zeros((1, 0)), expression[None])[0]
    tongue = head.regions["tongue"]
    tips = []
    for seed in range(30):
        bent = bend_tongue(head, shape, expression, RNG(seed))
        np.testing.assert_array_equal(bent[~tongue], shape[~tongue])
        tips.append(bent[tongue][shape[tongue, 2].argmax(), 0])
    assert min(tips) < -4 and max(tips) > 4
    assert bend_tongue(head, head.mean, units(head), RNG(0)) is head.mean


def test_hidden_units_have_no_weight(head):
    visibility = UnitVisibility(head)

    def weights(yaw, hidden=None, **amounts):
        shape = head.decode(np.zeros((1, 0)), units(head, **amounts)[None])[0]
        points = (shape @ matrix_from_euler(np.array([yaw, 0.0, 0.0])).T * [1, -1, 1] + [160, 160, 0]).astype(
            np.float32
        )
        depth = rasterize(points, head.triangles, 320, 320).depth
        found = visibility.weights(visible_vertices(points[visibility.vertices], depth, 1.0, hidden))
        return dict(zip(head.expression_names, found, strict=True))

    frontal = weights(0.0)
    assert min(frontal.values()) == 1
    wink = weights(0.0, eyeBlinkLeft=1.0)
    assert wink["eyeLookOutLeft"] < 0.2 and wink["eyeLookOutRight"] == 1 and wink["eyeBlinkLeft"] == 1
    turned = weights(85.0)
    assert {turned["eyeLookOutLeft"], turned["eyeLookOutRight"]} == {0.0, 1.0}
    lower = np.zeros((320, 320), np.float32)
    lower[185:] = 1  # a hand in front of the mouth
    covered = weights(0.0, lower)
    assert covered["mouthPucker"] < 0.2 and covered["tongueOut"] == 0 and covered["browInnerUp"] == 1
