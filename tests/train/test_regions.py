from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("onnx", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.geometry.pose import matrix_from_euler  # noqa: E402
from ddfa.regress.patches import cut_patches, eye_patches  # noqa: E402
from ddfa.regress.regions import EYE_UNITS, MOUTH_UNITS, RegionNetworks, network_patches  # noqa: E402
from ddfa.train.region_batches import Corpus, PatchStream, Pool, mirrored_units, rarity  # noqa: E402
from ddfa.train.regions import (  # noqa: E402
    RegionConfig,
    export_region,
    load_network,
    network_inputs,
    new_network,
    predict_batch,
    region_loss,
    spread_of,
    train_region,
)

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
    quick = {"corpora": ("drawn",), "steps": 4, "batch": 4, "threads": 1, "warmup": 1}
    return RegionConfig(region, folder, output, **{**quick, **changes})


def test_photos_kept_aside_are_not_learnt_from(folder, corpus):
    aside = Corpus.load(folder, "drawn", held_out=True)
    assert len(corpus.chosen) + len(aside.chosen) == 24
    assert not set(corpus.chosen) & set(aside.chosen)


def test_patches_that_are_not_varied_are_those_in_use(corpus):
    batch = PatchStream("eye", [corpus], NAMES, 0, augment=False).batch([3])
    number = corpus.chosen[3]
    affines = eye_patches(corpus.labels.landmarks[[number]], matrix_from_euler(corpus.labels.pose_deg[[number]]))
    np.testing.assert_array_equal(batch.patches, cut_patches(corpus.pictures[number], affines[0], 56))
    blinks = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
    np.testing.assert_allclose(batch.units[:, EYE_UNITS.index("eyeBlink")], corpus.labels.scores[number, blinks])
    np.testing.assert_allclose(batch.places[:, 0], 0, atol=1e-5)
    np.testing.assert_allclose(batch.places[:, 1], 0.24, atol=1e-5)  # 0.12 of the side below the middle


@pytest.mark.parametrize("region", REGIONS)
def test_a_batch_is_the_same_for_the_same_seed(region, corpus):
    first, second, other = (PatchStream(region, [corpus], NAMES, seed).draw(6) for seed in (1, 1, 2))
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, vars(second)[name])
    assert (first.patches != other.patches).any()
    assert np.isfinite(first.units).all() and first.units.min() >= 0 and first.units.max() <= 1


def test_pupils_follow_shifts_and_shrinking(corpus):
    """The disc of an eye is darker or brighter than the skin: its centre is seen where the pupil is said to be."""
    stream = PatchStream("eye", [corpus], NAMES, 3)
    dark = [k for k in range(len(stream)) if stream.targets[k, :, EYE_UNITS.index("eyeBlink")].min() > 0.75]
    errors = []
    for _ in range(12):
        batch = stream.batch(dark)
        for patch, place, junk in zip(batch.patches, batch.places, batch.junk, strict=True):
            weight = np.clip(float(np.median(patch)) - 40 - patch.mean(axis=2), 0, None)
            if junk or weight.sum() < 500:
                continue
            y, x = np.average(np.indices(weight.shape).reshape(2, -1), axis=1, weights=weight.ravel())
            errors.append(np.hypot(*((place[:2] * 56 + 55) / 2 - [x, y])))
    assert len(errors) > 20
    assert np.median(errors) < 1.5


def test_mirrored_mouths_swap_their_sides():
    mirror = mirrored_units(MOUTH_UNITS)
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("mouthSmileLeft")]] == "mouthSmileRight"
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("jawRight")]] == "jawLeft"
    assert MOUTH_UNITS[mirror[MOUTH_UNITS.index("jawOpen")]] == "jawOpen"
    assert [mirror[k] for k in mirror] == list(range(len(MOUTH_UNITS)))


def test_rare_states_are_drawn_more_often():
    traits = np.zeros((1000, 1))
    traits[:10] = 0.9
    weights = rarity(traits)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 4 * weights[-1]
    np.testing.assert_allclose(rarity(np.zeros((10, 2))), 0.1)


def test_pool_completes_batches_with_whole_photos(corpus):
    stream, pool = PatchStream("eye", [corpus], NAMES, 0), Pool(5, 2, seed=0)
    assert len(pool.completed(stream.draw(4), 4).patches) == 8
    batch = pool.completed(stream.draw(1), 4)
    assert len(batch.patches) == len(batch.units) == len(batch.junk) == 8


@pytest.mark.parametrize("region", REGIONS)
def test_exported_network_gives_what_the_trained_one_gives(region, corpus, tmp_path):
    torch.manual_seed(0)
    network = new_network(region)
    stream = PatchStream(region, [corpus], NAMES, 0)
    with torch.no_grad():
        for _ in range(3):  # statistics of the batch norms
            batch = stream.draw(8)
            network(network_inputs(batch.patches), torch.from_numpy(batch.further))
    expected = predict_batch(network.eval(), batch)
    session = onnxruntime.InferenceSession(export_region(network, tmp_path / "region.onnx"))
    for rows in (slice(0, 1), slice(None)):
        inputs = {"patches": network_patches(batch.patches[rows]), "further": batch.further[rows]}
        np.testing.assert_allclose(session.run(None, inputs)[0], expected[rows], atol=5e-3)


@pytest.mark.parametrize("region", REGIONS)
def test_learning_lowers_the_loss(region, folder, corpus, tmp_path):
    torch.manual_seed(0)
    config = _config(region, folder, tmp_path)
    stream, network = PatchStream(region, [corpus], NAMES, 0), new_network(region)
    batch, spread = stream.draw(8), spread_of(stream)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss = region_loss(network, batch, spread, config)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_rows_without_their_region_teach_no_units(folder, corpus, tmp_path):
    stream = PatchStream("mouth", [corpus], NAMES, 0)
    batch, network = stream.draw(4), new_network("mouth")
    junk = replace(batch, junk=np.ones(4, bool))
    terms = region_loss(network, junk, spread_of(stream), _config("mouth", folder, tmp_path))
    assert float(terms["units"]) == float(terms["places"]) == float(terms["asymmetry"]) == 0
    assert float(terms["doubt"]) != 0


def test_a_run_can_be_resumed_and_its_networks_run(folder, tmp_path):
    for region in REGIONS:
        train_region(_config(region, folder, tmp_path / region))
        path = train_region(_config(region, folder, tmp_path / region, steps=6, resume=True))
        path.rename(tmp_path / path.name)
        load_network(region, tmp_path / region / "checkpoint.pt")
    with pytest.raises(DataError, match="another network"):
        train_region(_config("eye", folder, tmp_path / "mouth", resume=True))
    networks = RegionNetworks(NAMES, tmp_path, threads=1)
    corpus = Corpus.load(folder, "drawn", held_out=False)
    result = networks(corpus.pictures[0], corpus.labels.landmarks[:1], np.eye(3)[None], np.zeros((1, 52)))
    assert result.units.shape == (1, 52) and np.isfinite(result.units).all()
