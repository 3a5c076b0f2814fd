import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.cli import main
from ddfa.errors import ModelError
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.open import load_open_head
from ddfa.images import read_image
from ddfa.regress.bundle import write_bundle
from ddfa.regress.regions import (
    EYE_GEOMETRY,
    EYE_UNITS,
    GEOMETRIC_UNITS,
    MOUTH_GEOMETRY,
    MOUTH_UNITS,
    RegionNetworks,
    Regions,
    auxiliary_inputs,
    eye_columns,
    network_patches,
)
from ddfa.regress.registry import find_bundle

NAMES = load_open_head().expression_names
LEFT_BLINK, RIGHT_BLINK, INNER_UP = (NAMES.index(u) for u in ("eyeBlinkLeft", "eyeBlinkRight", "browInnerUp"))
PUCKER, CHEEKS = NAMES.index("mouthPucker"), NAMES.index("cheekPuff")


class FakeNetwork:
    """Predicts eyeBlink, browInnerUp and mouthPucker from the brightness of the patch."""

    def __init__(self, units: tuple[str, ...], geometry: int, log_error: float = -4.0) -> None:
        self.units, self.width, self.log_error = units, len(units) + geometry + 1, log_error
        self.calls: list[np.ndarray] = []

    def get_outputs(self):
        return [SimpleNamespace(shape=["n", self.width])]

    def get_inputs(self):
        return [SimpleNamespace(name="patches"), SimpleNamespace(name="auxiliary")]

    def run(self, _, inputs):
        patches, auxiliary = inputs["patches"], inputs["auxiliary"]
        assert patches.dtype == auxiliary.dtype == np.float32
        self.calls.append(auxiliary)
        out = np.zeros((len(patches), self.width), np.float32)
        brightness = (patches.mean(axis=(1, 2, 3)) * 128 + 127.5) / 255
        for unit in {"eyeBlink", "browInnerUp", "mouthPucker"} & set(self.units):
            out[:, self.units.index(unit)] = brightness
        out[:, -1] = self.log_error
        return [out]


@pytest.fixture
def fakes():
    networks = [FakeNetwork(EYE_UNITS, EYE_GEOMETRY), FakeNetwork(MOUTH_UNITS, MOUTH_GEOMETRY)]
    return RegionNetworks(NAMES, *networks), networks


def _face(centre: tuple[float, float], distance: float = 60.0) -> np.ndarray:
    points = np.zeros((68, 3))
    points[36:42, 0], points[42:48, 0] = -distance / 2, distance / 2
    points[31:36, 1] = 0.7 * distance
    points[:, :2] += centre
    return points


def _image(winking: str) -> np.ndarray:
    """White in the half of the image that contains an eye, black in the other."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[:, 200:] = 255 if winking == "left" else 0
    image[:, :200] = 255 if winking == "right" else 0
    return image


@pytest.mark.parametrize(("side", "closed", "open_"), [("left", 0, 1), ("right", 1, 0)])
def test_units_of_each_eye_come_from_its_own_patch(fakes, side, closed, open_):
    networks, _ = fakes
    result = networks([_image(side)], _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    blinks = result.units[0, [LEFT_BLINK, RIGHT_BLINK]]
    assert blinks[closed] > 0.9 and blinks[open_] < 0.1
    assert result.units[0, INNER_UP] == pytest.approx(blinks.mean(), abs=1e-6)
    assert result.confidence[0, LEFT_BLINK] > 0.9 and result.confidence[0, PUCKER] > 0.9
    assert result.confidence[0, CHEEKS] == 0 and result.units[0, CHEEKS] == 0


def test_faces_in_one_batch_equal_faces_one_by_one(fakes):
    networks, (eye, _) = fakes
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    faces = np.stack([_face((120, 100), 40), _face((260, 150), 70), _face((200, 160), 30)])
    rotation, first = matrix_from_euler(np.array([[0, 0, 0], [20, 5, 0], [-30, 0, 5.0]])), np.zeros((3, 52))
    together = networks([image] * 3, faces, rotation, first)
    assert len(eye.calls) == 1
    for k in range(3):
        alone = networks([image], faces[k : k + 1], rotation[k : k + 1], first[k : k + 1])
        np.testing.assert_allclose(alone.units[0], together.units[k], atol=1e-6)
        np.testing.assert_allclose(alone.pupils[0], together.pupils[k], atol=1e-3)


def test_no_face_is_no_error(fakes):
    networks, _ = fakes
    result = networks([], np.zeros((0, 68, 3)), np.zeros((0, 3, 3)), np.zeros((0, 52)))
    assert result.units.shape == (0, 52) and result.pupils.shape == (0, 2, 2) and result.mouth_aperture.shape == (0,)


def test_pupils_are_mapped_from_patch_to_image(fakes):
    networks, _ = fakes
    result = networks([_image("left")], _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    above = 0.12 * 0.95 * 60
    np.testing.assert_allclose(result.pupils[0], [[230, 150 - above], [170, 150 - above]], atol=1e-3)


def test_small_patches_are_left_to_the_first_network(fakes):
    networks, (eye, mouth) = fakes
    result = networks([_image("left")], _face((200, 150), 15)[None], np.eye(3)[None], np.zeros((1, 52)))
    assert not result.confidence[0, [LEFT_BLINK, RIGHT_BLINK]].any()
    assert result.confidence[0, PUCKER] > 0  # the mouth's patch is larger
    assert not eye.calls and len(mouth.calls) == 1  # patches that do not count are not read
    assert np.isnan(result.pupils).all() and np.isnan(result.eye_aperture).all() and result.mouth_aperture[0] == 0


# A face that turns to the image left (yaw > 0) hides its right eye.
@pytest.mark.parametrize(("yaw", "visible"), [(45.0, "left"), (-45.0, "right")])
def test_a_hidden_eye_follows_the_visible_one(fakes, yaw, visible):
    networks, (eye, mouth) = fakes
    rotation = matrix_from_euler(np.array([[yaw, 0, 0]]))
    result = networks([_image(visible)], _face((200, 150))[None], rotation, np.zeros((1, 52)))
    assert result.units[0, LEFT_BLINK] == result.units[0, RIGHT_BLINK] > 0.7
    assert result.confidence[0, LEFT_BLINK] == result.confidence[0, RIGHT_BLINK] > 0.9
    assert [len(rows) for rows in eye.calls] == [1] and not mouth.calls  # only the visible eye is read
    assert np.isnan(result.pupils).any(axis=2).tolist() == [[visible == "right", visible == "left"]]


def test_eyes_of_profiles_are_not_read(fakes):
    networks, (eye, mouth) = fakes
    rotation = matrix_from_euler(np.array([[70.0, 0, 0]]))
    result = networks([_image("left")], _face((200, 150))[None], rotation, np.zeros((1, 52)))
    assert not result.confidence.any() and not eye.calls and not mouth.calls


def test_regions_are_blended_by_confidence():
    units, confidence = np.full((1, 3), 0.8, np.float32), np.array([[0.9, 0.27, 0.0]], np.float32)
    outputs, maps = np.zeros((1, 2, 14), np.float32), np.zeros((1, 3, 2, 3))
    merged = Regions(units, confidence, outputs, outputs[:, 0], maps).merged(np.zeros((1, 3)), 0.36)
    np.testing.assert_allclose(merged, [[0.8, 0.4, 0.0]], atol=1e-6)


def test_auxiliary_inputs_of_a_mirrored_face_are_equal():
    rotation = matrix_from_euler(np.array([[25.0, 10.0, 0.0]]))
    flipped = matrix_from_euler(np.array([[-25.0, 10.0, 0.0]]))
    units, zoom = np.array([[0.3, 2.0]]), np.array([1.5])
    plain, other = auxiliary_inputs(units, rotation, zoom), auxiliary_inputs(units, flipped, zoom, mirror=True)
    np.testing.assert_allclose(plain, other, atol=1e-6)
    assert plain.shape == (1, 6) and plain[0, 1] == 1.5 and plain[0, -1] == 1


def test_pixels_are_normalised_as_for_the_first_network():
    patches = np.array([0, 255], np.uint8).repeat(48).reshape(2, 4, 4, 3)
    np.testing.assert_allclose(network_patches(patches)[:, 0, 0, 0], [-127.5 / 128, 127.5 / 128])


@pytest.mark.parametrize("present", ["eye", "mouth"])
def test_either_network_is_optional(fakes, present):
    _, (eye, mouth) = fakes
    networks = RegionNetworks(NAMES, eye=eye) if present == "eye" else RegionNetworks(NAMES, mouth=mouth)
    result = networks([_image("left")], _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    confident = {"eye": result.confidence[0, LEFT_BLINK] > 0, "mouth": result.confidence[0, PUCKER] > 0}
    assert [name for name, value in confident.items() if value] == [present]


def test_missing_networks_are_reported(tmp_path):
    with pytest.raises(ModelError, match=r"eye\.onnx"):
        RegionNetworks.load(NAMES, tmp_path)


def test_a_damaged_network_is_reported(tmp_path):
    (tmp_path / "eye.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="cannot be loaded as a region network"):
        RegionNetworks.load(NAMES, tmp_path)


@pytest.fixture(scope="module")
def eye_only(tmp_path_factory):
    """The default bundle with the eye network as its only region network."""
    bundle = find_bundle()
    names = [name for name in bundle.files if not name.startswith("regions/") or name == "regions/eye.onnx"]
    folder = tmp_path_factory.mktemp("bundles") / "eye-only"
    return write_bundle(bundle, folder, {name: bundle.folder / name for name in names})


@pytest.fixture(scope="module")
def photo(root):
    return read_image(root / "samples/astronaut.jpg")


def test_region_networks_change_the_eyes_only(eye_only, photo):
    refined, plain = (FaceAligner(eye_only, threads=1, regions=regions)(photo) for regions in (True, False))
    ours, theirs = (faces.layout.split(faces.params) for faces in (refined, plain))
    np.testing.assert_array_equal(ours.pose, theirs.pose)
    np.testing.assert_array_equal(ours.identity, theirs.identity)
    eyes = sorted({column for side in eye_columns(NAMES) for column in side})
    others = sorted(set(range(52)) - set(eyes))
    np.testing.assert_array_equal(ours.expression[:, others], theirs.expression[:, others])
    assert (ours.expression[:, eyes] != theirs.expression[:, eyes]).any(axis=1).all()


def test_faces_of_several_images_in_one_batch_equal_those_one_by_one(eye_only, photo):
    aligner = FaceAligner(eye_only, threads=1)
    images = [photo, np.ascontiguousarray(photo[:, ::-1]), np.zeros((64, 64, 3), np.uint8)]
    batch = aligner.align_located([aligner.locate(image) for image in images], refine=True)
    for image, faces in zip(images, batch, strict=True):
        np.testing.assert_allclose(faces.params, aligner(image, refine=True).params, atol=1e-4)


def test_a_tampered_region_network_is_found(eye_only, tmp_path, capsys):
    folder = Path(shutil.copytree(eye_only.folder, tmp_path / "tampered"))
    with (folder / "regions/eye.onnx").open("ab") as file:
        file.write(b"x")
    assert main(["models", "verify", str(folder)]) == 2
    assert "eye.onnx differs" in capsys.readouterr().err
    with pytest.raises(ModelError, match=r"eye\.onnx differs"):
        FaceAligner(folder)


def test_geometric_units_stay_those_of_the_first_network(fakes):
    result = fakes[0]([_image("left")], _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    columns = [NAMES.index(unit) for unit in GEOMETRIC_UNITS]
    assert not result.confidence[0, columns].any()
    first = np.random.default_rng(0).uniform(0, 1, (1, 52))
    np.testing.assert_allclose(result.merged(first)[0, columns], first[0, columns], rtol=1e-6)
