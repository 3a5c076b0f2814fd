"""Training of the roll network."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.regress.roll import SIDE  # noqa: E402
from ddfa.train.networks.roll_net import RollNet  # noqa: E402
from ddfa.train.roll import NETWORK, RollCrops, train_roll  # noqa: E402
from ddfa.train.small_configs import RollConfig  # noqa: E402

from ..conftest import make_labelled_photos  # noqa: E402


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roll")
    data = make_labelled_photos(folder / "data", 45)
    return RollConfig(data=(data,), output=folder / "run", samples=12, batch_size=4, threads=1)


def test_a_run_leaves_a_network_that_computes_what_it_learnt(config):
    assert 0 <= train_roll(config) <= 180
    assert sorted(path.name for path in config.output.iterdir()) == ["checkpoint.pt", "config.yaml", "log.csv", NETWORK]
    saved = torch.load(config.output / "checkpoint.pt", weights_only=True)
    network = RollNet()
    network.load_state_dict({k.removeprefix("module."): v for k, v in saved["average"].items() if k != "n_averaged"})
    crops = np.random.default_rng(0).uniform(-1, 1, (2, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        wanted = network.eval()(torch.from_numpy(crops)).numpy()
    (found,) = ort.InferenceSession(config.output / NETWORK).run(None, {"input": crops})
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert 0 <= train_roll(replace(config, samples=16, resume=True)) <= 180
    with pytest.raises(DataError):
        train_roll(replace(config, output=config.output.parent / "new", resume=True))


def test_turned_crops_point_where_the_face_does():
    """A bright spot on top of the head is found in the direction of the roll, in mirrored crops as well."""
    images = torch.zeros(1, 80, 80, 3, dtype=torch.uint8)
    images[0, 18:24, 37:43] = 255
    crops = RollCrops(images, torch.zeros(1), torch.ones(1))
    inputs, truth = crops.batch(torch.zeros(200, dtype=torch.long), torch.Generator().manual_seed(0), degrade=False)
    weight = (inputs.mean(dim=1) + 1).clamp_min(0)
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    x = (weight * axis).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
    y = (weight * axis[:, None]).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
    # Clockwise: a roll of 90° has its top to the right. Shifts move the spot by a few px of the 8 to the centre.
    assert ((truth[:, 1] * x - truth[:, 0] * y) > 0).float().mean() > 0.95
    assert abs(float((truth[:, 0] * x + truth[:, 1] * y).mean())) < 1
