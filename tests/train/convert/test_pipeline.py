import shutil
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
import onnxruntime as ort  # noqa: E402

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.data.registration.landmark_placement import MIRRORED  # noqa: E402
from ddfa.errors import DataError, ModelError  # noqa: E402
from ddfa.head.model import HeadModel  # noqa: E402
from ddfa.regress.bundle import Bundle, write_bundle  # noqa: E402
from ddfa.regress.convention import PixelConvention  # noqa: E402
from ddfa.regress.layout import ParamLayout  # noqa: E402
from ddfa.regress.session import Regressor  # noqa: E402
from ddfa.regress.whitening import Whitening  # noqa: E402
from ddfa.train.convert import pipeline  # noqa: E402
from ddfa.train.convert.config import ConvertConfig  # noqa: E402
from ddfa.train.convert.onnx_export import export_onnx  # noqa: E402
from ddfa.train.convert.pipeline import convert  # noqa: E402
from ddfa.train.networks import create  # noqa: E402

SIZE = 64


def make_bundle(folder, arch, order):
    """A bundle of an untrained network for the open head whose faces stay near the mean face."""
    torch.manual_seed(0)
    pose = np.array([0.4, 0, 0, 32, 0, 0.4, 0, 32, 0, 0, 0.4, 0])
    mean = np.concatenate([pose, np.zeros(132)]).astype(np.float32)
    std = np.concatenate([np.tile([0.1, 0.1, 0.1, 3], 3), np.full(132, 0.3)]).astype(np.float32)
    bundle = Bundle(
        name="untrained",
        architecture=f"{arch}.open",
        convention=PixelConvention.OPEN,
        layout=ParamLayout(),
        whitening=Whitening(mean, std),
        licence="test",
        channel_order=order,
        input_size=SIZE,
    )
    export_onnx(create(arch, 144).deployed(), folder.parent / "model.onnx", SIZE)
    return write_bundle(bundle, folder, {"model.onnx": folder.parent / "model.onnx"})


@pytest.fixture(scope="module", params=[("mobilenet_v1_025", "BGR"), ("repnet_s", "RGB")], ids=lambda each: each[0])
def bundle(request, tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle") / "plain", *request.param)


@pytest.fixture
def crops(monkeypatch):
    """Crops that stand for those of photos with faces."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (32, 8, 8, 3), np.uint8)
    smooth = coarse.repeat(SIZE // 8, axis=1).repeat(SIZE // 8, axis=2)
    monkeypatch.setattr(pipeline, "faces_of", lambda *_: smooth)
    return smooth


@pytest.fixture
def photos(root):
    return root / "samples"


@pytest.mark.parametrize("kind", ["float", "uint8"])
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_variants_compute_the_same(bundle, crops, photos, tmp_path, precision, kind):
    made, distance = convert(ConvertConfig(str(bundle.folder), tmp_path / "out", kind, precision, photos))
    assert distance <= pipeline.TOLERANCE[precision] * SIZE
    loaded = Bundle.load(tmp_path / "out")
    assert loaded.architecture.startswith(bundle.architecture) and loaded.architecture == made.architecture
    before = bundle.whitening.whiten(Regressor(bundle).params_from_crops(crops))
    after = bundle.whitening.whiten(Regressor(loaded).params_from_crops(crops))
    np.testing.assert_allclose(after, before, atol={"float32": 1e-4, "float16": 0.02, "int8": 0.5}[precision])


def test_uint8_bundles_align_like_the_original(bundle, tmp_path):
    made, _ = convert(ConvertConfig(str(bundle.folder), tmp_path / "out", "uint8"))
    (given,) = ort.InferenceSession(made.model_path).get_inputs()
    assert given.type == "tensor(uint8)" and given.shape == ["batch", SIZE, SIZE, 3]
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    boxes = np.array([[20, 20, 80, 80], [10, 5, 60, 55]])
    one, two = (FaceAligner(each, threads=1)(image, boxes=boxes) for each in (bundle, made))
    # The original sees crops as they were sampled, this one rounded to bytes; with the same bytes they agree (above).
    np.testing.assert_allclose(one.landmarks68, two.landmarks68, atol=1e-2)


def test_int8_needs_photos_with_faces(bundle, photos, tmp_path):
    with pytest.raises(DataError, match="--calibration"):
        convert(ConvertConfig(str(bundle.folder), tmp_path / "out", precision="int8"))
    with pytest.raises(DataError, match="faces, 16 are needed"):
        convert(ConvertConfig(str(bundle.folder), tmp_path / "out", precision="int8", calibration=photos))
    assert not (tmp_path / "out").exists()


def test_a_network_that_strays_is_not_written(bundle, crops, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(pipeline.TOLERANCE, "int8", -1.0)
    with pytest.raises(ModelError, match="moves landmarks by"):
        convert(ConvertConfig(str(bundle.folder), tmp_path / "out", precision="int8", calibration=photos))
    assert not (tmp_path / "out").exists()


def test_faces_are_cut_out_of_photos(photos, tmp_path):
    from ddfa.data.sets.photos import Photos
    from ddfa.regress.registry import find_bundle

    shutil.copy(photos / "astronaut.jpg", tmp_path)
    bundle = find_bundle(None)
    assert pipeline.faces_of(Photos(tmp_path), bundle).shape == (1, bundle.input_size, bundle.input_size, 3)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_mirrored_networks_give_the_mean_of_both_views(bundle, crops, photos, tmp_path, precision):
    made, _ = convert(ConvertConfig(str(bundle.folder), tmp_path / "out", "uint8", precision, photos, flip_tta=True))
    assert made.architecture.startswith(f"{bundle.architecture}-flip")
    head, size = HeadModel.load(), bundle.input_size

    def seen(params):
        pose, identity, expression = bundle.layout.split(params)
        points = head.decode_landmarks(identity, expression)
        return points @ pose[..., :3].transpose(0, 2, 1) + pose[:, None, :, 3]

    plain = Regressor(bundle)
    flipped = plain.params_from_crops(np.ascontiguousarray(crops[:, :, ::-1]))
    pose, identity, expression = (np.array(part) for part in bundle.layout.split(flipped))
    pose[:, 0] *= -1
    pose[:, :, 0] *= -1
    pose[:, 0, 3] += size - 1
    undone = np.concatenate(
        [pose.reshape(-1, 12), identity * head.identity_mirror, expression[:, head.expression_mirror]], axis=1
    )
    back = seen(flipped)[:, MIRRORED] * [-1, 1, 1] + [size - 1, 0, 0]
    np.testing.assert_allclose(seen(undone), back, atol=1e-2)  # the head is mirrored, not the picture alone
    expected = bundle.whitening.whiten((plain.params_from_crops(crops) + undone) / 2)
    both = bundle.whitening.whiten(Regressor(made).params_from_crops(crops))
    np.testing.assert_allclose(both, expected, atol={"float32": 1e-4, "float16": 0.02}[precision])


def test_published_crops_cannot_be_mirrored(bundle, tmp_path):
    published = write_bundle(
        replace(bundle, convention=PixelConvention.V2), tmp_path / "v2", {"model.onnx": bundle.model_path}
    )
    with pytest.raises(ModelError, match="only bundles of the open head"):
        convert(ConvertConfig(str(published.folder), tmp_path / "out", flip_tta=True))


def test_networks_beside_each_other_give_their_mean(crops, tmp_path):
    one = make_bundle(tmp_path / "one", "mobilenet_v1_025", "RGB")
    other = make_bundle(tmp_path / "other", "repnet_xs", "RGB")
    other = write_bundle(
        replace(other, whitening=Whitening(other.whitening.mean + 0.1, 1.5 * other.whitening.std)),
        tmp_path / "moved",
        {"model.onnx": other.model_path},
    )
    made, _ = convert(ConvertConfig(str(one.folder), tmp_path / "out", ensemble=(str(other.folder),), name="both"))
    assert made.name == "both" and made.architecture == "mobilenet_v1_025.open+repnet_xs.open"
    expected = (Regressor(one).params_from_crops(crops) + Regressor(other).params_from_crops(crops)) / 2
    seen = Regressor(made).params_from_crops(crops)
    np.testing.assert_allclose(one.whitening.whiten(seen), one.whitening.whiten(expected), atol=1e-4)
    mirrored, _ = convert(ConvertConfig(str(one.folder), tmp_path / "m", ensemble=(str(other.folder),), flip_tta=True))
    alone = [
        convert(ConvertConfig(str(each.folder), tmp_path / f"m{k}", flip_tta=True))[0]
        for k, each in enumerate((one, other))
    ]
    halves = [one.whitening.whiten(Regressor(each).params_from_crops(crops)) for each in (mirrored, *alone)]
    np.testing.assert_allclose(halves[0], (halves[1] + halves[2]) / 2, atol=1e-4)


def test_networks_of_other_crops_cannot_be_averaged(bundle, tmp_path):
    other = write_bundle(replace(bundle, input_size=120), tmp_path / "other", {"model.onnx": bundle.model_path})
    with pytest.raises(ModelError, match="differ in input_size"):
        convert(ConvertConfig(str(bundle.folder), tmp_path / "out", ensemble=(str(other.folder),)))
