"""The quality head from features to a bundle: what it learns, what is attached, and what converting keeps."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
onnx = pytest.importorskip("onnx", reason="needs the extra `train`")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.cli import main  # noqa: E402
from ddfa.errors import DataError, ModelError  # noqa: E402
from ddfa.images import read_image  # noqa: E402
from ddfa.regress.bundle import Bundle  # noqa: E402
from ddfa.regress.quality import LANDMARKS, QUALITY_OUTPUT, QUALITY_SIZE  # noqa: E402
from ddfa.regress.registry import find_bundle  # noqa: E402
from ddfa.regress.session import Regressor  # noqa: E402
from ddfa.train.convert.config import ConvertConfig  # noqa: E402
from ddfa.train.convert.pipeline import convert  # noqa: E402
from ddfa.train.quality.attach import attach_quality, without_quality  # noqa: E402
from ddfa.train.quality.calibration import calibrate, evaluate, outputs, platt  # noqa: E402
from ddfa.train.quality.config import QualityConfig  # noqa: E402
from ddfa.train.quality.features import FeatureSet, feature_map, with_features  # noqa: E402
from ddfa.train.quality.network import QualityHead, is_accurate, quality_loss  # noqa: E402
from ddfa.train.quality.training import make_quality, train_head  # noqa: E402


def known_features(count, seed=0):
    """Features whose first channels are the spread of the errors, occlusion and the absence of a face."""
    rng = np.random.default_rng(seed)
    spread, hidden, none = np.exp(rng.uniform(-5, -2.5, count)), rng.random(count) < 0.4, rng.random(count) < 0.2
    features = rng.normal(0, 0.1, (count, 8, 2, 2)).astype(np.float16)
    for channel, value in enumerate((np.log(spread), 2.0 * hidden, 2.0 * none)):
        features[:, channel] += value[:, None, None].astype(np.float16)
    errors = rng.normal(size=(count, LANDMARKS, 2)) * spread[:, None, None]
    errors[none] = np.nan
    sizes = np.where(none, np.nan, 0.7)
    occluded = np.where(none[:, None], np.nan, np.repeat(hidden[:, None], LANDMARKS, axis=1))
    arrays = (array.astype(np.float32) for array in (errors, sizes, occluded))
    return FeatureSet(features, *arrays)


def test_the_head_learns_deviations_occlusion_and_quality(tmp_path):
    config = QualityConfig((), tmp_path, epochs=12, batch_size=32, lr=1e-2, threads=1)
    head = train_head(config, known_features(1500))
    calibrate(head, known_features(500, seed=1))
    data = known_features(500, seed=2)
    figures = evaluate(head, data)
    assert figures["auc_occlusion"] > 0.98 and figures["auc_accurate"] > 0.95 and figures["spearman"] > 0.9
    assert figures["calibration_error"] < 0.08
    output, errors, *_ = outputs(head, data)
    faces = np.isfinite(data.sizes)
    ratio = errors.numpy()[faces] / np.exp(output[:, 1 : 1 + LANDMARKS].numpy())[faces][..., None]
    assert np.sqrt((ratio**2).mean()) == pytest.approx(1, abs=0.15)


def test_platt_scaling_recovers_factor_and_offset():
    logits = torch.linspace(-6, 6, 20_000)
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(20_000, generator=generator) < torch.sigmoid(0.5 * logits - 1)).float()
    factor, offset = platt(logits, targets)
    assert factor == pytest.approx(0.5, abs=0.05) and offset == pytest.approx(-1, abs=0.1)
    assert platt(logits, torch.ones(20_000)) == (1.0, 0.0)


def test_the_loss_ignores_what_is_not_known():
    output = torch.randn(3, QUALITY_SIZE, dtype=torch.float64)
    errors = torch.full((3, LANDMARKS, 2), float("nan"), dtype=torch.float64)
    sizes, unknown = errors[:, 0, 0], errors[..., 0]
    terms = quality_loss(output, errors, sizes, unknown)
    assert terms["std"] == terms["occlusion"] == 0 and torch.isfinite(terms["loss"])
    assert is_accurate(errors, sizes).sum() == 0


def test_the_likelihood_is_smallest_at_the_true_deviation():
    generator = torch.Generator().manual_seed(1)
    # Radii of a 2D Laplace distribution are Gamma(2) distributed; sqrt(3) / s is their rate.
    radius = torch.distributions.Gamma(2.0, 3**0.5 / 0.03)
    torch.manual_seed(0)
    distance, angle = radius.sample((400, LANDMARKS)), torch.rand(400, LANDMARKS, generator=generator) * 6.2832
    errors = torch.stack([distance * angle.cos(), distance * angle.sin()], dim=-1)
    assert errors.std() == pytest.approx(0.03, rel=0.02)

    def likelihood(std):
        output = torch.full((400, QUALITY_SIZE), float(np.log(std)))
        return quality_loss(output, errors, torch.ones(400), torch.full((400, LANDMARKS), float("nan")))["std"]

    assert likelihood(0.03) < min(likelihood(0.027), likelihood(0.033))


@pytest.fixture(scope="module")
def with_head(tmp_path_factory):
    """The default bundle with an untrained quality head, and that head."""
    torch.manual_seed(3)
    source = find_bundle("default")
    head = QualityHead(512, 16).eval()
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    shutil.copytree(source.folder, folder)
    attach_quality(source.model_path, head, folder / "model.onnx")
    from ddfa.regress.bundle import write_bundle

    files = {name: folder / name for name in source.files}
    return write_bundle(source, folder.with_name("made"), files), head


def test_the_attached_head_computes_what_pytorch_computes(with_head, root):
    bundle, head = with_head
    crops = np.random.default_rng(0).integers(0, 256, (3, 120, 120, 3), np.uint8)
    regressor = Regressor(bundle, threads=1)
    params, found = regressor.outputs_from_inputs(regressor.crop_inputs(crops))
    plain = Regressor(find_bundle("default"), threads=1).params_from_crops(crops)
    np.testing.assert_allclose(params, plain, rtol=1e-4, atol=1e-4)
    from ddfa.sessions import open_session, session_options

    session = open_session(with_features(onnx.load(bundle.model_path)).SerializeToString(), session_options(1))
    features = session.run(["quality_features"], {"input": regressor.crop_inputs(crops)})[0]
    with torch.no_grad():
        expected = head(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_faces_carry_the_estimates(with_head, root):
    aligner = FaceAligner(with_head[0], threads=1)
    faces = aligner(read_image(root / "samples" / "group.jpg") if (root / "samples" / "group.jpg").exists()
                    else read_image(sorted((root / "samples").glob("*.jpg"))[0]))  # fmt: skip
    assert faces.quality.shape == (len(faces),) and faces.landmark_std.shape == (len(faces), 68)
    one = faces[0]
    np.testing.assert_array_equal(one.landmark_occlusion, faces.landmark_occlusion[0])
    joined = type(faces).concat([faces[:1], faces[1:]])
    np.testing.assert_array_equal(joined.quality_output, faces.quality_output)
    assert (faces.landmark_std > 0).all()


def test_a_head_is_replaced_not_added_twice(with_head, tmp_path):
    bundle, _ = with_head
    attach_quality(bundle.model_path, QualityHead(512, 16).eval(), tmp_path / "again.onnx")
    graph = onnx.load(tmp_path / "again.onnx").graph
    assert [output.name for output in graph.output] == ["output", QUALITY_OUTPUT]
    bare = without_quality(onnx.load(bundle.model_path))
    original = without_quality(onnx.load(find_bundle("default").model_path))
    assert bare.SerializeToString() == original.SerializeToString()
    assert [output.name for output in bare.graph.output] == ["output"]


@pytest.mark.parametrize("options", [{"flip_tta": True}, {"input": "uint8"}, {"precision": "float16"}])
def test_converted_bundles_keep_the_estimates(with_head, tmp_path, options):
    bundle, _ = with_head
    made, _ = convert(ConvertConfig(str(bundle.folder), tmp_path / "out", **options))
    crops = np.random.default_rng(1).integers(0, 256, (2, 120, 120, 3), np.uint8)
    before, after = (Regressor(one, threads=1) for one in (bundle, made))
    expected = before.outputs_from_inputs(before.crop_inputs(crops))[1]
    found = after.outputs_from_inputs(after.crop_inputs(crops))[1]
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2)


def test_a_network_without_pooled_features_is_an_error(tmp_path):
    flipped = find_bundle("default-flip")
    with pytest.raises(ModelError, match="test-time flip"):
        feature_map(without_quality(onnx.load(flipped.model_path)))


def test_a_short_run_makes_a_bundle_and_resumes(labelled, tmp_path, capsys):
    arguments = ["train-quality", "--data", str(labelled), "--samples", "48", "--epochs", "1", "--batch-size", "8",
                 "--held-out", "0.6", "--workers", "1", "--threads", "1", ]  # fmt: skip
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    assert "held-out photos" in capsys.readouterr().out
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    assert Regressor(bundle).outputs_from_inputs(np.zeros((1, 3, 120, 120), np.float32))[1].shape == (1, QUALITY_SIZE)
    with pytest.raises(DataError, match="other settings"):
        make_quality(QualityConfig((labelled,), tmp_path / "run", samples=16, held_out=0.6, workers=1))
    with pytest.raises(DataError, match="name the data sets"):
        make_quality(QualityConfig((), tmp_path / "other"))
