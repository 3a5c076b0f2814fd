import pickle
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.data.augmentation import Augmentation  # noqa: E402
from ddfa.data.sets.dataset import LABEL_FILE  # noqa: E402
from ddfa.data.sets.labels import Labels  # noqa: E402
from ddfa.errors import DataError, ModelError  # noqa: E402
from ddfa.regress.whitening import Whitening  # noqa: E402
from ddfa.train.batches import mixed, step_seed  # noqa: E402
from ddfa.train.config import LossWeights  # noqa: E402
from ddfa.train.convert.bundle import at_resolution, package  # noqa: E402
from ddfa.train.loop import train  # noqa: E402
from ddfa.train.networks import create, normalise  # noqa: E402
from ddfa.train.state import ema_of, load_checkpoint, load_matching  # noqa: E402

from ..conftest import make_basis, make_labelled_photos  # noqa: E402
from .short_runs import quick_whitening, short_run  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def whitened_quickly():
    with quick_whitening():
        yield


@pytest.fixture(scope="module")
def settings(labelled, tmp_path_factory):
    loss = LossWeights(pdc=0.1, wpdc=1, vdc=0.01, landmark=1, aperture=1, dense=1, points=1)
    return short_run(labelled, tmp_path_factory.mktemp("run"), loss=loss, augment=Augmentation(mirror=0.5))


@pytest.fixture(scope="module")
def run(settings):
    return train(replace(settings, tensorboard=True))


def test_a_run_leaves_what_it_needs_and_what_it_saw(run, settings):
    assert run.step == 4
    assert load_checkpoint(settings.output / "checkpoint.pt")["step"] == 4
    assert sorted(path.name for path in settings.output.iterdir()) == [
        "checkpoint.pt",
        "config.yaml",
        "log.csv",
        "preview.jpg",
        "tensorboard",
        "units.csv",
    ]
    header, row = (settings.output / "log.csv").read_text().splitlines()
    assert header == (
        "step,rate,pdc,wpdc,vdc,landmark,aperture,dense,points,nme,aperture_error,"
        "unit_r,difference_r,samples_per_second"
    ) and row.startswith("4,")
    names = [line.split(",")[0] for line in (settings.output / "units.csv").read_text().splitlines()]
    assert names[0] == "unit" and len(names) == 53 and "jawOpen" in names
    (events,) = (settings.output / "tensorboard").iterdir()
    content = events.read_bytes()
    assert all(tag in content for tag in (b"loss/wpdc", b"validation/nme", b"preview"))


def test_the_run_becomes_a_bundle_that_aligns(run, tmp_path):
    bundle = package(run, tmp_path / "bundle")
    faces = FaceAligner(bundle, threads=1)(np.zeros((100, 100, 3), np.uint8), boxes=np.array([[20, 20, 80, 80]]))
    assert faces.landmarks68.shape == (1, 68, 3) and np.isfinite(faces.landmarks68).all()
    assert bundle.layout.size == 144 and bundle.input_size == 32
    assert bundle.architecture == "mobilenet_v1_025.open"


def test_a_published_head_is_trained_for_and_packed(settings, tmp_path):
    """Labels as `ddfa data read` makes them; a Basel head has no mirror maps."""
    basis = tmp_path / "bfm.pkl"
    basis.write_bytes(pickle.dumps(make_basis()))
    data = make_labelled_photos(tmp_path / "data")
    labels = Labels.load(data / LABEL_FILE)
    scale = np.float32([[1e-3], [1e-3], [1e-3]])  # the basis is in micrometres
    pose = np.concatenate([scale * labels.pose[..., :3], labels.pose[..., 3:]], axis=-1)
    identity, expression = labels.identity[:, :40], labels.expression[:, :10]
    replace(labels, pose=pose, identity=identity, expression=expression, head="bfm-v2").save(data / LABEL_FILE)
    changes = {"head": basis, "data": (data,), "output": tmp_path / "run", "samples": 8}
    bundle = package(train(replace(settings, augment=Augmentation(mirror=0), **changes)), tmp_path / "bundle")
    basis.unlink()
    assert bundle.architecture == "mobilenet_v1_025.bfm-v2" and bundle.layout.size == 62
    faces = FaceAligner(tmp_path / "bundle", threads=1)(np.zeros((90, 90, 3), np.uint8), boxes=[[20, 20, 80, 80]])
    assert faces.vertices.shape == (1, 90, 3)


def same(one, two):
    """Whether two nested states hold equal numbers, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


@pytest.mark.parametrize("source", [{"workers": 0}, {"workers": 1}, {"augment_on": "device"}])
def test_a_resumed_run_goes_on_identically(settings, tmp_path, source):
    through = replace(settings, samples=24, output=tmp_path / "through", validate_every=4, **source)
    train(through)
    halted = replace(through, output=tmp_path / "halted")
    assert train(halted, until=3).step == 3
    assert train(replace(halted, resume=True)).step == 6
    one, two = (load_checkpoint(config.output / "checkpoint.pt") for config in (through, halted))
    assert same(one, two)


def test_another_seed_gives_another_run(settings, run, tmp_path):
    other = train(replace(settings, seed=1, output=tmp_path))
    assert not torch.equal(other.network.fc.weight, run.network.fc.weight)


def test_a_step_of_one_process_has_its_own_seed():
    seeds = {step_seed(seed, step, rank) for seed in range(3) for step in range(3) for rank in range(3)}
    assert len(seeds) == 27


def test_later_rows_of_an_interrupted_run_are_dropped(settings, tmp_path):
    config = replace(settings, output=tmp_path)
    train(config, until=2)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("3,0,0,0,0,0,0,0,0,0,0,0\n")
    train(replace(config, resume=True), until=4)
    steps = [line.partition(",")[0] for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert steps == ["step", "2", "4"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision(settings, tmp_path, precision):
    run = train(replace(settings, precision=precision, output=tmp_path, samples=8))
    assert run.network.fc.weight.dtype == torch.float32 and torch.isfinite(run.network.fc.weight).all()


def test_a_loss_that_is_not_finite_stops_the_run(settings, tmp_path):
    with pytest.raises(DataError, match="not finite"):
        train(replace(settings, lr=1e30, warmup=0, grad_clip=1e30, optimizer="sgd", output=tmp_path))


def test_start_needs_a_fitting_checkpoint(settings, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        train(replace(settings, init=tmp_path / "none.pt", output=tmp_path))
    with pytest.raises(DataError, match="shares no layer"):
        load_matching(create("repnet_s", 3), {"fc.weight": torch.zeros(2, 2)}, Whitening(np.zeros(3), np.ones(3)))
    with pytest.raises(ModelError, match="no architecture 'resnet'"):
        train(replace(settings, arch="resnet", output=tmp_path))


def test_resuming_with_another_network_is_refused(run, settings):
    with pytest.raises(DataError, match="of another network"):
        train(replace(settings, arch="mobilenet_v1_050", resume=True))


def test_a_start_keeps_the_parameters_of_its_checkpoint(run):
    """The new run has another whitening; the network gives the same parameters from the first step on."""
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 2, 144).astype(np.float32)
    new = Whitening(rng.normal(size=144).astype(np.float32), std * run.whitening.std)
    saved = {
        "average": run.average.state_dict(),
        "whitening_mean": torch.from_numpy(run.whitening.mean),
        "whitening_std": torch.from_numpy(run.whitening.std),
    }
    network, old = create("mobilenet_v1_025", 144, 68), run.average_network.eval()
    load_matching(network, saved, new)
    images = normalise(torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8))
    with torch.no_grad():
        before, after = (net(images).numpy() for net in (old, network.eval()))
    seen = np.arange(144) != 11  # t_z hardly moves: its standard deviation is below rounding
    expected, given = run.whitening.dewhiten(before), new.dewhiten(after)
    np.testing.assert_allclose((given / new.std)[:, seen], (expected / new.std)[:, seen], atol=1e-3)


def test_a_start_from_published_weights():
    published, network = create("mobilenet_v1_025", 62), create("mobilenet_v1_025", 144, 68)
    state = {f"module.{name}": tensor for name, tensor in published.state_dict().items()}
    load_matching(network, {"epoch": 50, "state_dict": state}, Whitening(np.zeros(144), np.ones(144)))
    assert torch.equal(network.conv1.weight, published.conv1.weight) and network.fc.out_features == 144


def test_whitening_at_another_resolution_keeps_pixel_centres():
    mean = np.arange(14, dtype=np.float32)
    half = at_resolution(Whitening(mean, np.ones(14, np.float32)), 60)
    assert half.mean[3] == 0.5 * (mean[3] + 0.5) - 0.5 and half.mean[7] == 0.5 * (mean[7] + 0.5) - 0.5
    assert half.mean[0] == 0 and half.mean[5] == 2.5 and half.mean[12] == 12 and half.std[3] == 0.5


@pytest.mark.parametrize("ramp", [True, False])
def test_the_average_of_a_short_run_forgets_the_initial_weights_if_its_decay_grows(ramp):
    network, decay = torch.nn.Linear(2, 1), 0.5 ** (1 / 500)
    average = ema_of(network, decay, ramp)
    for value in [0.0] + [1.0] * 100:  # the first update copies the weights
        torch.nn.init.constant_(network.weight, value)
        average.update_parameters(network)
    if ramp:
        assert average.module.weight.min() > 0.99
    else:
        torch.testing.assert_close(average.module.weight, torch.full((1, 2), 1 - decay**100))


def test_reused_crops_serve_in_several_steps(settings, tmp_path):
    run = train(replace(settings, output=tmp_path, reuse=3, samples=settings.batch_size * 7))
    assert run.step == 7
    again = train(replace(settings, output=tmp_path, reuse=3, samples=settings.batch_size * 9, resume=True))
    assert again.step == 9


def test_mixed_batches_keep_crops_and_labels_together():
    def fresh():
        for k in range(6):
            values = torch.arange(8) + 8 * k
            yield values[:, None, None, None].expand(8, 2, 2, 3), values[:, None].float()

    seen = list(mixed(fresh(), times=2, seed=0))
    assert len(seen) == 12 and all(crops.shape == (8, 2, 2, 3) for crops, _ in seen)
    assert all((crops[:, 0, 0, :1] == labels).all() for crops, labels in seen)
    assert max(int(labels.max()) for _, labels in seen[:2]) < 8  # of the first batch only
    assert len({int(v) for _, labels in seen for v in labels}) > 30
    again = list(mixed(fresh(), times=2, seed=0))
    assert all(torch.equal(a[1], b[1]) for a, b in zip(seen, again, strict=True))
