import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("onnx", reason="needs the extra `train`")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.cli import main  # noqa: E402
from ddfa.data.regions.labels import Corpus  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.geometry.pose import matrix_from_euler  # noqa: E402
from ddfa.regress.patches import cut_patches, eye_patches  # noqa: E402
from ddfa.regress.regions import EYE_UNITS, MOUTH_UNITS, network_patches  # noqa: E402
from ddfa.regress.registry import find_bundle  # noqa: E402
from ddfa.train.regions.batches import PatchStream, Pool, mirrored_units, rarity  # noqa: E402
from ddfa.train.regions.calibration import add_region, fit_calibration  # noqa: E402
from ddfa.train.regions.config import RegionConfig  # noqa: E402
from ddfa.train.regions.export import export_region, load_network  # noqa: E402
from ddfa.train.regions.loss import network_inputs, predict_batch, region_loss, spread_of  # noqa: E402
from ddfa.train.regions.network import new_network  # noqa: E402
from ddfa.train.regions.training import make_region, train_region  # noqa: E402

from .region_corpus import NAMES, drawn_corpus  # noqa: E402

REGIONS = ["eye", "mouth"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("regions")
    drawn_corpus(path)
    return path


@pytest.fixture(scope="module")
def corpus(folder):
    return Corpus.load(folder, "drawn", held_out=False)


def _config(region, folder, output, **changes):
    quick = {"corpora": ("drawn",), "steps": 4, "batch_size": 4, "threads": 1, "warmup": 1}
    return RegionConfig(region, folder, output, **{**quick, **changes})


def test_held_out_photos_are_not_trained_on(folder, corpus):
    held_out_part = Corpus.load(folder, "drawn", held_out=True)
    assert len(corpus.chosen) + len(held_out_part.chosen) == 24
    assert not set(corpus.chosen) & set(held_out_part.chosen)


def test_patches_without_augmentation_are_those_of_inference(corpus):
    batch = PatchStream("eye", [corpus], NAMES, 0, augment=False).batch([3])
    number = corpus.chosen[3]
    affines = eye_patches(corpus.labels.landmarks[[number]], matrix_from_euler(corpus.labels.pose_deg[[number]]))
    np.testing.assert_array_equal(batch.patches, cut_patches([corpus.images[number]] * 2, affines[0], 56))
    blinks = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
    np.testing.assert_allclose(batch.units[:, EYE_UNITS.index("eyeBlink")], corpus.labels.scores[number, blinks])
    np.testing.assert_allclose(batch.geometry[:, 0], 0, atol=1e-5)
    np.testing.assert_allclose(batch.geometry[:, 1], 0.24, atol=1e-5)  # the eye is 0.12 of the side below the centre


@pytest.mark.parametrize("region", REGIONS)
def test_a_batch_is_the_same_for_the_same_seed(region, corpus):
    first, second, other = (PatchStream(region, [corpus], NAMES, seed).sample(6) for seed in (1, 1, 2))
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, vars(second)[name])
    assert (first.patches != other.patches).any()
    assert np.isfinite(first.units).all() and first.units.min() >= 0 and first.units.max() <= 1


def test_pupil_targets_follow_the_augmentation(corpus):
    """The disc drawn for an eye is darker than the skin: its centroid is the target of the pupil."""
    stream = PatchStream("eye", [corpus], NAMES, 3)
    dark = [k for k in range(len(stream)) if stream.targets[k, :, EYE_UNITS.index("eyeBlink")].min() > 0.75]
    errors = []
    for _ in range(12):
        batch = stream.batch(dark)
        for patch, position, off_target in zip(batch.patches, batch.geometry, batch.off_target, strict=True):
            weight = np.clip(float(np.median(patch)) - 40 - patch.mean(axis=2), 0, None)
            if off_target or weight.sum() < 500:
                continue
            y, x = np.average(np.indices(weight.shape).reshape(2, -1), axis=1, weights=weight.ravel())
            errors.append(np.hypot(*((position[:2] * 56 + 55) / 2 - [x, y])))
    assert len(errors) > 20
    assert np.median(errors) < 1.5


def test_mirrored_mouths_swap_their_sides():
    mirror = mirrored_units(MOUTH_UNITS)
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("mouthSmileLeft")]] == "mouthSmileRight"
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("jawRight")]] == "jawLeft"
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("jawOpen")]] == "jawOpen"
    assert [mirror[k] for k in mirror] == list(range(len(MOUTH_UNITS)))


def test_rare_states_are_sampled_more_often():
    traits = np.zeros((1000, 1))
    traits[:10] = 0.9
    weights = rarity(traits)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 4 * weights[-1]
    np.testing.assert_allclose(rarity(np.zeros((10, 2))), 0.1)


def test_pool_completes_batches_with_whole_photos(corpus):
    stream, pool = PatchStream("eye", [corpus], NAMES, 0), Pool(5, 2, seed=0)
    assert len(pool.completed(stream.sample(4), 4).patches) == 8
    batch = pool.completed(stream.sample(1), 4)
    assert len(batch.patches) == len(batch.units) == len(batch.off_target) == 8


@pytest.mark.parametrize("region", REGIONS)
def test_exported_network_equals_the_trained_one(region, corpus, tmp_path):
    torch.manual_seed(0)
    network = new_network(region)
    stream = PatchStream(region, [corpus], NAMES, 0)
    with torch.no_grad():
        for _ in range(3):  # statistics of the batch norms
            batch = stream.sample(8)
            network(network_inputs(batch.patches), torch.from_numpy(batch.auxiliary))
    expected = predict_batch(network.eval(), batch)
    session = onnxruntime.InferenceSession(export_region(network, tmp_path / "region.onnx"))
    for rows in (slice(0, 1), slice(None)):
        inputs = {"patches": network_patches(batch.patches[rows]), "auxiliary": batch.auxiliary[rows]}
        np.testing.assert_allclose(session.run(None, inputs)[0], expected[rows], atol=5e-3)


@pytest.mark.parametrize("region", REGIONS)
def test_training_lowers_the_loss(region, corpus):
    torch.manual_seed(0)
    stream, network = PatchStream(region, [corpus], NAMES, 0), new_network(region)
    batch, spread = stream.sample(4), spread_of(stream)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        loss = region_loss(network, batch, spread)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_off_target_patches_train_the_uncertainty_only(folder, corpus, tmp_path):
    stream = PatchStream("mouth", [corpus], NAMES, 0)
    batch, network = stream.sample(4), new_network("mouth")
    off_target = replace(batch, off_target=np.ones(4, bool))
    terms = region_loss(network, off_target, spread_of(stream))
    assert all(terms[name].item() == 0 for name in ("units", "geometry", "asymmetry"))
    assert terms["uncertainty"].item() != 0


def test_calibration_folds_rest_and_gain_exactly():
    torch.manual_seed(0)
    network = new_network("eye").eval()
    rest, gain = torch.linspace(0, 0.4, 10), torch.linspace(1, 2.5, 10)
    patches, auxiliary = torch.randn(3, 3, 56, 56), torch.randn(3, network.auxiliary)
    with torch.no_grad():
        before = network(patches, auxiliary)
        after = network.calibrated(rest, gain)(patches, auxiliary)
        again = network(patches, auxiliary)
    torch.testing.assert_close(after[:, :10], gain * (before[:, :10] - rest), atol=1e-5, rtol=1e-5)
    assert torch.equal(after[:, 10:], before[:, 10:]) and torch.equal(again, before)


def test_calibration_recovers_rest_and_gain():
    random = np.random.default_rng(0)
    scores = np.zeros((400, 52), np.float32)
    blinks = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
    scores[200:, blinks] = random.random((200, 2))
    predictions = np.zeros_like(scores)
    predictions[:, blinks] = 0.1 + 0.5 * scores[:, blinks]
    calibration = fit_calibration(EYE_UNITS, NAMES, predictions, scores)
    k = EYE_UNITS.index("eyeBlink")
    assert calibration.gain[k] == pytest.approx(2, rel=1e-4)
    assert calibration.rest[k] == pytest.approx(0.1, abs=0.02)
    assert calibration.gain[0] == 1 and calibration.rest[0] == 0  # a unit that never moves is left alone


def test_a_region_network_is_added_to_a_bundle_and_replaced(tmp_path):
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        (tmp_path / str(seed)).mkdir()
        networks.append(export_region(new_network("mouth"), tmp_path / str(seed) / "mouth.onnx"))
    bundle = find_bundle()
    added = add_region(bundle, networks[0], tmp_path / "bundle")
    assert set(added.files) == {*bundle.files, "regions/mouth.onnx"}
    replaced = add_region(added, networks[1], tmp_path / "bundle")
    assert set(replaced.files) == set(added.files)
    assert replaced.files["regions/mouth.onnx"] != added.files["regions/mouth.onnx"]
    assert replaced.files["regions/eye.onnx"] == bundle.files["regions/eye.onnx"]


def test_a_run_ends_with_a_bundle(folder, tmp_path):
    bundle = make_region(_config("eye", folder, tmp_path))
    assert bundle.folder == tmp_path / "bundle"
    values = json.loads((tmp_path / "calibration.json").read_text())
    assert list(values) == list(EYE_UNITS)
    corpus = Corpus.load(folder, "drawn", held_out=False)
    faces = FaceAligner(bundle, threads=1)(corpus.images[0], landmarks=corpus.labels.landmarks[:1])
    assert np.isfinite(faces.blendshapes).all()
    measured = tmp_path / "bench"
    words = ["bench", "units", str(bundle.folder), "--data", str(folder), "--threads", "1", "--output", str(measured)]
    assert main(words) == 0
    record = json.loads((measured / "results.json").read_text())
    held_out = Corpus.load(folder, "drawn", held_out=True)
    assert record["faces"] == len(held_out.chosen)
    assert [one["model"] for one in record["results"]] == ["default", "default with regions", "mesh teacher"]


@pytest.mark.parametrize("region", REGIONS)
def test_a_run_can_be_resumed(region, folder, tmp_path):
    train_region(_config(region, folder, tmp_path))
    network = train_region(_config(region, folder, tmp_path, steps=6, resume=True))
    loaded = load_network(region, tmp_path / "checkpoint.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])
    other = "mouth" if region == "eye" else "eye"
    with pytest.raises(DataError, match="another network"):
        train_region(_config(other, folder, tmp_path, resume=True))
