from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.regress.session import Regressor  # noqa: E402
from ddfa.train.averaging import average_runs, averaged  # noqa: E402
from ddfa.train.convert.bundle import package  # noqa: E402
from ddfa.train.loop import train  # noqa: E402
from ddfa.train.state import load_checkpoint, whitening_of  # noqa: E402

from .short_runs import quick_whitening, short_run  # noqa: E402


@pytest.fixture(scope="module")
def two_runs(labelled, tmp_path_factory):
    """Two short runs from the same weights, with other crops."""
    folder = tmp_path_factory.mktemp("runs")
    first = short_run(labelled, folder / "a", samples=8, name="a")
    with quick_whitening():
        a = train(first)
        b = train(replace(first, output=folder / "b", seed=1, init=folder / "a" / "checkpoint.pt", name="b"))
    return a, b


def test_the_mean_lies_between_the_runs_and_starts_others(two_runs, tmp_path):
    a, b = two_runs
    bundle = average_runs([a.config.output, b.config.output], tmp_path / "mean", "soup")
    assert bundle.name == "soup" and bundle.input_size == 32
    saved = load_checkpoint(tmp_path / "mean" / "checkpoint.pt")
    key = "dw5_1.conv_sep.weight"
    expected = (a.average_network.state_dict()[key] + b.average_network.state_dict()[key]) / 2
    torch.testing.assert_close(saved["average"][key], expected)
    np.testing.assert_array_equal(whitening_of(saved).mean, a.whitening.mean)


def test_a_checkpoint_joins_the_runs(two_runs, tmp_path):
    a, b = (run.config.output for run in two_runs)
    average_runs([a, b], tmp_path / "runs")
    average_runs([a], tmp_path / "also", checkpoints=[b / "checkpoint.pt"])
    one, other = (load_checkpoint(tmp_path / name / "checkpoint.pt")["average"] for name in ("runs", "also"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_mean_of_one_run_is_that_run(two_runs, tmp_path):
    run = two_runs[1]
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    mean, own = average_runs([run.config.output], tmp_path / "mean"), package(run, tmp_path / "own")
    np.testing.assert_allclose(
        Regressor(mean).params_from_crops(crops), Regressor(own).params_from_crops(crops), rtol=1e-5, atol=1e-5
    )


def test_whole_numbers_are_not_averaged():
    states = [{"w": torch.tensor([1.0]), "n": torch.tensor(3)}, {"w": torch.tensor([2.0]), "n": torch.tensor(5)}]
    mean = averaged(states)
    assert mean["w"].item() == 1.5 and mean["n"].item() == 3


def test_runs_that_do_not_go_together(two_runs, tmp_path):
    a, b = (run.config.output for run in two_runs)
    with pytest.raises(DataError, match=r"config\.yaml does not exist"):
        average_runs([tmp_path], tmp_path / "mean")
    other = tmp_path / "other"
    other.mkdir()
    text = (b / "config.yaml").read_text().replace("mobilenet_v1_025", "repnet_s")
    (other / "config.yaml").write_text(text)
    with pytest.raises(DataError, match="one kind"):
        average_runs([a, other], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
