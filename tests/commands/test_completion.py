import shutil
import subprocess

import pytest

from ddfa.commands.completion import script
from ddfa.commands.registry import COMMANDS

SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_completed(shell) -> None:
    text = script(shell)
    assert all(word in text for command in COMMANDS for word in command.name)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_valid(shell, tmp_path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script(shell))
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize(("line", "expected"), [("ddfa al", "align"), ("ddfa bench unit", "units")])
def test_bash_completes_commands(line, expected, tmp_path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    words = line.split()
    (tmp_path / "script").write_text(script("bash"))
    code = f'. {tmp_path}/script; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _ddfa; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [expected]
