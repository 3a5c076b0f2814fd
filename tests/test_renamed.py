"""Old names keep working and print a line with the new one."""

import pytest

from ddfa import exit_codes
from ddfa.cli import COMMANDS, main
from ddfa.renamed import COMMANDS as RENAMED_COMMANDS
from ddfa.renamed import OPTIONS, current_command, current_options

NAMES = {command.name for command in COMMANDS}


def test_new_names_exist_and_old_ones_do_not():
    assert {*RENAMED_COMMANDS.values(), *OPTIONS} <= NAMES
    assert not NAMES & set(RENAMED_COMMANDS)


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        (("train",), ["--rate", "1e-3", "--data", "decay"], ["--lr", "1e-3", "--data", "decay"]),
        (("train",), ["--batch=8", "--loss.wpdc", "1"], ["--batch-size=8", "--loss.wpdc", "1"]),
        (("models", "convert"), ["b", "--no-mirrored", "--beside", "c"], ["b", "--no-flip-tta", "--ensemble", "c"]),
        (("align",), ["--rate", "1"], ["--rate", "1"]),
    ],
)
def test_options(command, words, expected):
    current, notes = current_options(command, words)
    assert current == expected
    assert len(notes) == sum(a != b for a, b in zip(words, expected, strict=True))


def test_command():
    words, notes = current_command(["export", "bundle", "-o", "out"])
    assert words == ["models", "convert", "bundle", "-o", "out"] and "'models convert'" in notes[0]
    assert current_command(["models", "list"]) == (["models", "list"], [])


def test_the_command_line_prints_the_new_name(capsys, tmp_path):
    pytest.importorskip("torch", reason="needs the extra `train`")
    assert main(["export", str(tmp_path), "--mirrored", "-o", str(tmp_path / "out")]) == exit_codes.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("ddfa: 'export' is now 'models convert'")
    assert lines[1].startswith("ddfa: '--mirrored' is now '--flip-tta'")
    assert lines[2].startswith("ddfa models convert: ") and len(lines) == 3
