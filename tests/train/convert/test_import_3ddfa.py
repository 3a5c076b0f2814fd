import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.errors import ModelError  # noqa: E402
from ddfa.regress.convention import PixelConvention  # noqa: E402
from ddfa.train.convert.import_3ddfa import import_3ddfa  # noqa: E402
from ddfa.train.networks import MobileNetV1  # noqa: E402

from ...conftest import make_basis, write_network  # noqa: E402


@pytest.fixture
def files(tmp_path):
    """A basis, its whitening and a place for the bundle, in small."""
    (tmp_path / "bfm.pkl").write_bytes(pickle.dumps(make_basis()))
    whitening = {"mean": np.zeros(62, np.float32), "std": np.ones(62, np.float32)}
    (tmp_path / "whitening.pkl").write_bytes(pickle.dumps(whitening))
    return tmp_path / "bfm.pkl", tmp_path / "whitening.pkl", tmp_path / "out"


def save_checkpoint(path, head="fc", prefix="module."):
    torch.manual_seed(0)
    state = MobileNetV1(62, 0.25).state_dict()
    state = {prefix + name.replace("fc.", f"{head}."): value for name, value in state.items()}
    if head == "fc_param":
        state |= {f"{prefix}fc_lm.weight": torch.zeros(136, 256), f"{prefix}fc_lm.bias": torch.zeros(136)}
    torch.save({"epoch": 1, "state_dict": state}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("name", "head", "convention"),
    [("a.pth.tar", "fc", PixelConvention.V1), ("a.pth", "fc_param", PixelConvention.V2)],
)
def test_checkpoints_of_both_versions(tmp_path, files, name, head, convention):
    save_checkpoint(tmp_path / name, head)
    bundle = import_3ddfa(tmp_path / name, *files)
    assert bundle.convention is convention and bundle.architecture == "mobilenet_v1_025.bfm-v2"
    faces = FaceAligner(bundle)(np.zeros((200, 200, 3), np.uint8), boxes=[[50, 50, 150, 150]])
    assert faces.vertices.shape == (1, 90, 3)


def test_network_computes_what_torch_computes(tmp_path, files):
    save_checkpoint(tmp_path / "a.pth.tar")
    bundle = import_3ddfa(tmp_path / "a.pth.tar", *files)
    from ddfa.regress.session import Regressor

    crops = np.random.default_rng(0).integers(0, 256, (3, 120, 120, 3), np.uint8)
    torch.manual_seed(0)
    network = MobileNetV1(62, 0.25).eval()
    batch = torch.from_numpy((crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128)
    with torch.no_grad():
        expected = network(batch).numpy()
    np.testing.assert_allclose(Regressor(bundle).params_from_crops(crops), expected, atol=1e-4)


def test_convention_can_be_chosen(tmp_path, files):
    write_network(tmp_path / "toy.onnx", 62)
    assert import_3ddfa(tmp_path / "toy.onnx", *files).convention is PixelConvention.V2
    assert import_3ddfa(tmp_path / "toy.onnx", *files, convention="v1").convention is PixelConvention.V1


def test_bundle_is_self_contained(tmp_path, files):
    save_checkpoint(tmp_path / "a.pth")
    bundle = import_3ddfa(tmp_path / "a.pth", *files)
    for path in files[:2]:
        path.unlink()
    assert bundle.head_path is not None and bundle.head_path.is_file()
    assert len(FaceAligner(bundle.folder).head.mean) == 90


class _Attack:
    def __reduce__(self):
        return (print, ("pwned",))


def test_foreign_pickle_is_refused(tmp_path, files, capsys):
    torch.save({"state_dict": _Attack()}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        import_3ddfa(tmp_path / "a.pth", *files)
    assert "pwned" not in capsys.readouterr().out
    assert not files[2].exists()


@pytest.mark.parametrize("name", ["a.pth", "a.onnx"])
@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_damaged_checkpoint(tmp_path, files, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="not a readable"):
        import_3ddfa(tmp_path / name, *files)


def test_another_network(tmp_path, files):
    torch.save({"state_dict": {"module.layer.weight": torch.zeros(3)}}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match="not a MobileNet-V1"):
        import_3ddfa(tmp_path / "a.pth", *files)


def test_missing_checkpoint(tmp_path, files):
    with pytest.raises(ModelError, match="no checkpoint at"):
        import_3ddfa(tmp_path / "none.pth", *files)


def test_whitening_of_another_model(tmp_path, files):
    save_checkpoint(tmp_path / "a.pth")
    wrong = {"mean": np.zeros(61, np.float32), "std": np.ones(61, np.float32)}
    files[1].write_bytes(pickle.dumps(wrong))
    with pytest.raises(ModelError, match="whitening has 61 parameters"):
        import_3ddfa(tmp_path / "a.pth", *files)
