from pathlib import Path

import pytest
import tyro

yaml = pytest.importorskip("yaml", reason="needs the extra `train`")

from ddfa.cli import main  # noqa: E402
from ddfa.commands.config_file import expand_config  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.train.config import LossWeights, TrainConfig  # noqa: E402


def parse(words):
    return tyro.cli(TrainConfig, args=expand_config(words))


def test_a_run_reads_its_own_settings_back(tmp_path):
    config = TrainConfig(
        data=(Path("a"), Path("b c")),
        output=Path("runs/x"),
        milestones=(),
        loss=LossWeights(vdc=0.01, landmark=2),
        lr=2e-5,
        resume=True,
        tensorboard=False,
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.as_dict()))
    assert parse(["--config", str(tmp_path / "config.yaml")]) == config


def test_typed_options_win_wherever_they_stand(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("data: [a, b]\noutput: o\nloss: {wpdc: 2, vdc: 3}\nresume: true\n")
    given = parse(["--lr", "1", "--config", str(file), "--loss.vdc", "4", "--data", "c", "--no-resume"])
    assert given.data == (Path("c"),) and given.lr == 1 and not given.resume
    assert given.loss.wpdc == 2 and given.loss.vdc == 4


@pytest.mark.parametrize(("content", "complaint"), [(b"a: [", "not valid"), (b"- a", "mapping"), (b"\xff", "valid")])
def test_bad_files(tmp_path, content, complaint):
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        expand_config(["--config", str(tmp_path / "bad.yaml")])


def test_missing_files_are_one_line(tmp_path, capsys):
    assert main(["align", "--config", str(tmp_path / "none.yaml")]) == 2
    assert main(["align", "--config"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "does not exist" in first and "needs a file" in second
