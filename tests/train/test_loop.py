import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.data.augment import Augmentation  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.train.config import LossWeights, TrainConfig  # noqa: E402
from ddfa.train.loop import load_checkpoint, rate_at, train  # noqa: E402
from ddfa.train.package import package  # noqa: E402


@pytest.fixture(scope="module")
def settings(labelled, tmp_path_factory):
    return TrainConfig(
        data=(labelled,),
        output=tmp_path_factory.mktemp("run"),
        width=0.25,
        loss=LossWeights(pdc=0.1, wpdc=1, vdc=0.01, landmark=1, points=1),
        augment=Augmentation(mirror=0.5),
        samples=16,
        batch=4,
        resolution=32,
        warmup=1,
        worst=0.0,
        workers=0,
        threads=1,
    )


@pytest.fixture(scope="module")
def run(settings):
    return train(settings)


def test_a_run_leaves_checkpoint_and_settings(run, settings):
    assert run.step == 4
    saved = load_checkpoint(settings.output / "checkpoint.pt")
    assert saved["step"] == 4
    assert (settings.output / "config.json").is_file()


def test_the_run_becomes_a_bundle_that_aligns(run, tmp_path):
    bundle = package(run, tmp_path / "bundle")
    faces = FaceAligner(bundle, threads=1)(np.zeros((100, 100, 3), np.uint8), boxes=np.array([[20, 20, 80, 80]]))
    assert faces.landmarks68.shape == (1, 68, 3) and np.isfinite(faces.landmarks68).all()
    assert bundle.layout.size == 144


def test_a_stopped_run_goes_on(run, settings):
    from dataclasses import replace

    longer = train(replace(settings, samples=24, resume=True))
    assert longer.step == 6
    np.testing.assert_array_equal(longer.whitening.std, run.whitening.std)


def test_start_needs_a_fitting_checkpoint(settings, tmp_path):
    from dataclasses import replace

    with pytest.raises(DataError, match="no usable checkpoint"):
        train(replace(settings, init=tmp_path / "none.pt", output=tmp_path))


def test_rate_warms_up_and_decays():
    from pathlib import Path

    config = TrainConfig((Path("x"),), Path("y"), samples=128_000, batch=128, warmup=100, rate=1.0)
    rates = [rate_at(step, config) for step in range(config.steps)]
    assert max(rates) == pytest.approx(1.0) and rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3) and np.argmax(rates) in (99, 100)
