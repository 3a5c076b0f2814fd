import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
import onnxruntime as ort  # noqa: E402

from ddfa.cli import main  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.regress.bundle import Bundle  # noqa: E402
from ddfa.regress.session import Regressor  # noqa: E402
from ddfa.train.convert.from_checkpoint import package_checkpoint  # noqa: E402
from ddfa.train.convert.onnx_export import export_onnx  # noqa: E402
from ddfa.train.macs import count_macs  # noqa: E402
from ddfa.train.networks import create, pooling_of  # noqa: E402
from ddfa.train.networks.pooling import LearntPool  # noqa: E402
from ddfa.train.state import write_checkpoint  # noqa: E402


@pytest.mark.parametrize("name", ["mobilenet_v1_025", "repnet_xs"])
@pytest.mark.parametrize("size", [64, 120, 160])
def test_starts_as_the_mean(name, size):
    torch.manual_seed(0)
    mean, learnt = create(name, 144, 2).eval(), create(name, 144, 2, "learnt").eval()
    learnt.load_state_dict(mean.state_dict(), strict=False)
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(learnt(images), mean(images), rtol=1e-4, atol=1e-5)
    assert count_macs(learnt) <= count_macs(mean) + learnt.num_features * 16
    assert [name for name, _ in learnt.named_parameters()][-4:] == [name for name, _ in mean.named_parameters()][-4:]


def test_knows_where_a_feature_was_found():
    pool = LearntPool(2)
    with torch.no_grad():
        pool.weight.zero_()
        pool.weight[0, 0, :, :2] = 1
        pool.weight[1, 0, :, 2:] = 1
    left = torch.zeros(1, 2, 4, 4)
    left[..., 1, 0] = 1
    assert pool(left).flatten().tolist() == [1, 0] and pool(left.flip(-1)).flatten().tolist() == [0, 1]


def test_pooling_of_tensors():
    assert pooling_of(create("repnet_xs", 5).state_dict()) == "mean"
    assert pooling_of(create("repnet_xs", 5, pooling="learnt").state_dict()) == "learnt"


def test_export(tmp_path):
    torch.manual_seed(0)
    network = create("repnet_xs", 5, pooling="learnt")
    network.avgpool.weight.data.normal_()
    export_onnx(network.deployed(), tmp_path / "n.onnx", 120)
    images = torch.randn(3, 3, 120, 120)
    session = ort.InferenceSession(tmp_path / "n.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, network.eval()(images).numpy(), rtol=1e-3, atol=1e-3)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    network = create("repnet_xs", 144, 68, "learnt")
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    saved = {"average": state, "whitening_mean": torch.zeros(144), "whitening_std": torch.ones(144), "step": 0}
    write_checkpoint(saved, tmp_path / "weights.pt")
    return tmp_path / "weights.pt", network


def test_a_checkpoint_becomes_a_bundle(checkpoint, tmp_path, capsys):
    path, network = checkpoint
    assert main(["models", "package", str(path), "--arch", "repnet_xs", "-o", str(tmp_path / "xs")]) == 0
    assert "repnet_xs.open, 144 parameters" in capsys.readouterr().out
    bundle = Bundle.load(tmp_path / "xs")
    assert bundle.name == "xs" and bundle.architecture == "repnet_xs.open"
    crops = np.random.default_rng(0).integers(0, 256, (2, 120, 120, 3), np.uint8)
    images = torch.from_numpy((crops.transpose(0, 3, 1, 2) - 127.5).astype(np.float32) / 128)
    with torch.no_grad():
        expected = network.eval()(images).numpy()
    np.testing.assert_allclose(Regressor(bundle).params_from_crops(crops), expected, rtol=1e-3, atol=1e-3)


def test_another_architecture_is_refused(checkpoint, tmp_path):
    with pytest.raises(DataError, match="does not fit"):
        package_checkpoint(checkpoint[0], "repnet_s", tmp_path / "out")
    assert not (tmp_path / "out").exists()
