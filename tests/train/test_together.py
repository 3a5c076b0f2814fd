"""Several networks trained on one stream of crops."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.cli import main  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.regress.bundle import Bundle  # noqa: E402
from ddfa.train.config import LossWeights  # noqa: E402
from ddfa.train.loop import mixed_target, targets, train, train_together  # noqa: E402
from ddfa.train.state import load_checkpoint  # noqa: E402

from .short_runs import quick_whitening, short_run  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def whitened_quickly():
    with quick_whitening():
        yield


@pytest.fixture(scope="module")
def settings(labelled, tmp_path_factory):
    loss = LossWeights(wpdc=1, units=0.1, asymmetry=0.1, points=1)
    return short_run(
        labelled, tmp_path_factory.mktemp("runs") / "both", loss=loss, also=("repnet_xs:small",), samples=12
    )


@pytest.fixture(scope="module")
def runs(settings):
    return train_together(settings)


def weights(folder):
    saved = load_checkpoint(folder / "checkpoint.pt")
    return saved["network"] | saved["average"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_each_network_is_trained_as_it_would_be_alone(runs, settings, tmp_path):
    assert [run.step for run in runs] == [3, 3] and [run.config.arch for run in runs] == [
        "mobilenet_v1_025",
        "repnet_xs",
    ]
    for run, folder in zip(runs, (settings.output, settings.output / "small"), strict=True):
        alone = replace(run.config, also=(), output=tmp_path / run.config.name)
        train(alone)
        assert same(weights(alone.output), weights(folder))
    header = (settings.output / "small" / "log.csv").read_text().partition("\n")[0]
    assert ",units,asymmetry," in header


def test_resumed_runs_go_on_identically(runs, settings, tmp_path):
    halted = replace(settings, output=tmp_path / "halted")
    train_together(halted, until=2)
    train_together(replace(halted, resume=True))
    assert same(weights(halted.output), weights(settings.output))
    assert same(weights(halted.output / "small"), weights(settings.output / "small"))


def test_distillation_changes_the_student_from_its_start_on_and_never_the_teacher(runs, settings, tmp_path):
    late = replace(settings, output=tmp_path / "late", distill_from="small", distill_start=1.0)
    taught = replace(settings, output=tmp_path / "taught", distill_from="small", distill_start=0.3)
    for config in (late, taught):
        train_together(config)
        assert same(weights(config.output / "small"), weights(settings.output / "small"))
    assert same(weights(late.output), weights(settings.output))
    assert not same(weights(taught.output), weights(settings.output))


def test_a_mixed_target_keeps_the_depth_of_the_label():
    target, prediction = torch.zeros(2, 16), torch.ones(2, 14)
    mixed = mixed_target(target, prediction, 0.25)
    assert (mixed[:, 11] == 0).all() and (mixed[:, [0, 10, 12, 13]] == 0.25).all()
    assert mixed.shape == (2, 16) and (mixed[:, 14:] == 0).all()  # weights of units


def test_a_network_that_is_ahead_waits(runs, settings):
    class Ahead:
        def __init__(self, step, name):
            self.run = replace(runs[0], step=step, config=replace(settings, name=name))

    members = [Ahead(3, "large"), Ahead(2, "small")]
    assert [member.run.config.name for member, _ in targets(members, settings, 2, torch.zeros(1, 14))] == ["small"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"also": ("repnet_xs",)}, "not ARCH:NAME"),
        ({"also": ("repnet_xs:a/b",)}, "not ARCH:NAME"),
        ({"also": ("repnet_xs:ddfa",)}, "different names"),
        ({"distill_from": "large"}, "none of the networks"),
    ],
)
def test_unusable_settings(settings, changes, message):
    with pytest.raises(DataError, match=message):
        _ = replace(settings, **changes).networks


def test_the_command_writes_a_bundle_of_each(labelled, tmp_path, capsys):
    words = [
        "--also",
        "mobilenet_v1_025:second",
        "--samples",
        "4",
        "--batch-size",
        "4",
        "--resolution",
        "32",
        "--name",
        "first",
    ]
    quick = ["--arch", "mobilenet_v1_025", "--held-out", "0.4", "--workers", "0", "--worst", "0", "--no-tensorboard"]
    assert main(["train", "--data", str(labelled), "--output", str(tmp_path / "run"), *words, *quick]) == 0
    assert Bundle.load(tmp_path / "run" / "bundle").name == "first"
    assert Bundle.load(tmp_path / "run" / "second" / "bundle").name == "second"
    assert "second: bundle in" in capsys.readouterr().out
