"""Training of the occlusion network."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.occlusion.network import SIDE  # noqa: E402
from ddfa.train.networks.occlusion_net import OcclusionNet  # noqa: E402
from ddfa.train.occlusion import (  # noqa: E402
    NETWORK,
    occlusion_loss,
    overlap,
    train_occlusion,
)
from ddfa.train.small_configs import OcclusionConfig  # noqa: E402

from ..conftest import make_labelled_photos  # noqa: E402


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("covering")
    data = make_labelled_photos(folder / "data", 45)
    return OcclusionConfig(
        data=(data,), output=folder / "run", faces=4, hands=3, samples=6, batch_size=2, worst=0.0, workers=0, threads=1
    )


@pytest.fixture(scope="module")
def trained(config):
    return train_occlusion(config)


def test_a_run_leaves_a_network_that_computes_what_it_learnt(trained, config):
    assert 0 <= trained <= 1
    assert sorted(path.name for path in config.output.iterdir()) == [
        "checkpoint.pt", "config.yaml", "log.csv", NETWORK,
    ]  # fmt: skip
    saved = torch.load(config.output / "checkpoint.pt", weights_only=True)
    network = OcclusionNet()
    network.load_state_dict({k.removeprefix("module."): v for k, v in saved["average"].items() if k != "n_averaged"})
    seen = np.random.default_rng(0).uniform(-1, 1, (2, 7, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        wanted = torch.sigmoid(network.eval()(torch.from_numpy(seen))).numpy()
    (found,) = ort.InferenceSession(config.output / NETWORK).run(None, {"input": seen})
    assert found.shape == (2, 1, SIDE // 2, SIDE // 2)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_finished_run_goes_on_and_a_missing_or_foreign_one_says_so(trained, config, tmp_path):
    longer = replace(config, samples=8, resume=True)
    train_occlusion(longer)
    assert torch.load(config.output / "checkpoint.pt", weights_only=True)["step"] == 4
    assert 0 <= train_occlusion(replace(longer, samples=2)) <= 1  # nothing is left to do
    assert torch.load(config.output / "checkpoint.pt", weights_only=True)["step"] == 4
    steps = [line.split(",")[0] for line in (config.output / "log.csv").read_text().splitlines()[1:]]
    assert len(steps) == len(set(steps))
    with pytest.raises(DataError, match="does not exist"):
        train_occlusion(replace(longer, output=tmp_path))
    torch.save({"step": 1, "network": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(DataError, match="another network"):
        train_occlusion(replace(longer, output=tmp_path))


def test_the_loss_falls_towards_the_truth_and_only_where_pixels_count():
    truth = torch.zeros(1, SIDE, SIDE)
    truth[:, 40:80, 40:80] = 1
    counts = torch.ones(1, SIDE, SIDE)
    counts[:, :20] = 0
    half = truth[:, None, ::2, ::2]
    right, wrong = occlusion_loss(20 * half - 10, truth, counts), occlusion_loss(10 - 20 * half, truth, counts)
    assert float(right) < 0.01 < 1 < float(wrong)
    elsewhere = 20 * half - 10
    elsewhere[:, :, :10] = 10
    assert float(occlusion_loss(elsewhere, truth, counts)) == pytest.approx(float(right), abs=1e-6)

    class Known(torch.nn.Module):
        def forward(self, x):
            return 20 * half - 10

    assert overlap(Known(), [(torch.zeros(1), truth, counts)]) == pytest.approx(1)
