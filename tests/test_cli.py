"""The `ddfa` command itself: subcommands, help, exit codes, imports."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ddfa import __version__, exit_codes
from ddfa.cli import COMMANDS, Command, main


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ddfa {__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_names_every_command(capsys, words: list[str]) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"ddfa {' '.join(command.name)} " in text


def test_help_of_a_group(capsys) -> None:
    assert main(["models", "--help"]) == 0
    text = capsys.readouterr().out
    assert "ddfa models verify" in text and "ddfa align" not in text


@pytest.mark.parametrize("words", [[], ["models"]])
def test_no_command_is_an_error(capsys, words: list[str]) -> None:
    assert main(words) == exit_codes.FAILED
    printed = capsys.readouterr()
    assert printed.out == "" and "ddfa models list" in printed.err


@pytest.mark.parametrize(
    ("words", "named", "choices"),
    [
        (["frobnicate"], "'frobnicate'", "align, fuse, video, doctor, completion, head, replace, retarget, models"),
        (["--frobnicate"], "'--frobnicate'", "align"),
        (["models", "lst"], "'models lst'", "list, show, verify, import-3ddfa"),
    ],
)
def test_unknown_command(capsys, words: list[str], named: str, choices: str) -> None:
    assert main(words) == exit_codes.FAILED
    error = capsys.readouterr().err
    assert named in error and choices in error and error.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.name))
def test_every_command_has_its_function_and_help(command: Command, capsys) -> None:
    module, _, function = command.target.partition(":")
    if command.name[0] in ("train", "data"):
        pytest.importorskip("torch", reason="needs the extra `train`")
    assert callable(getattr(import_module(module), function))
    with pytest.raises(SystemExit) as exit_code:
        main([*command.name, "--help"])
    assert exit_code.value.code == 0
    assert f"ddfa {' '.join(command.name)}" in capsys.readouterr().out


def test_a_missing_extra_is_named(monkeypatch, capsys) -> None:
    def needs_torch() -> int:
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    monkeypatch.setattr("ddfa.commands.models.list_models", needs_torch)
    assert main(["models", "list"]) == exit_codes.FAILED
    assert capsys.readouterr().err == "ddfa models list: needs torch: pip install 'openddfa[train]'\n"


def test_interruption(monkeypatch, capsys) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ddfa.commands.models.list_models", interrupted)
    assert main(["models", "list"]) == exit_codes.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_as_a_process(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ddfa.cli", "align", "missing.jpg", "--save", "nothing"],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("ddfa align: ")


def test_a_closed_pipe_is_no_traceback(root: Path) -> None:
    """As in `ddfa --help | head -1`."""
    with subprocess.Popen(
        [sys.executable, "-m", "ddfa.cli", "--help"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == exit_codes.FAILED


def test_help_is_grouped(capsys) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    assert text.index("\nUse:") < text.index("ddfa align") < text.index("\nMeasure:") < text.index("ddfa bench pose")
    assert text.index("\nBuild models:") < text.index("ddfa train ")


@pytest.mark.parametrize(
    ("words", "meant"), [(["algin", "x.jpg"], "align"), (["models", "lst"], "models list"), (["vidoe"], "video")]
)
def test_did_you_mean(capsys, words: list[str], meant: str) -> None:
    assert main(words) == exit_codes.FAILED
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "told"), [([], True), (["--quiet"], False)])
def test_the_first_run_says_that_it_compiles(monkeypatch, capsys, tmp_path, words: list[str], told: bool) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["align", "missing.jpg", "-o", str(tmp_path / "out"), *words])
    assert ("kernels are compiled" in capsys.readouterr().err) is told
    (tmp_path / "kernel.nbi").touch()
    main(["align", "missing.jpg", "-o", str(tmp_path / "out"), *words])
    assert "kernels are compiled" not in capsys.readouterr().err
