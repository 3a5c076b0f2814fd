"""Options mean the same in every command: the same name has the same help, metavar and short forms."""

import re
import subprocess
import sys
from collections import defaultdict
from importlib import import_module
from typing import NamedTuple

import pytest
import tyro

from ddfa.cli import COMMANDS, Command
from ddfa.extras import EXTRA_OF

# What these name is the command's own: its data, its result, the person, a part of what is trained.
OWN = {
    *("also", "annotated", "arch", "data", "device", "epochs", "expression", "face", "hands", "head", "held-out"),
    *("landmarks", "name", "output", "photos", "precision", "teacher", "to", "whitening", "workers"),
}
RESULTS = {"quiet", "verbose", "json"}
# Their result is text for a person or another program, or they run until they are stopped.
WITHOUT_RESULTS = {("completion",), ("models", "show"), ("serve",)}
VIDEOS = [("video",), ("fuse",), ("replace",), ("retarget",), ("bench", "jitter")]


class Option(NamedTuple):
    """What help says about an option."""

    metavar: str | None
    help: str
    forms: tuple[str, ...]


def options(command: Command) -> dict[str, Option]:
    module, _, function = command.target.partition(":")
    with pytest.warns(DeprecationWarning, match="get_parser"):  # tyro has no other way to list them
        parser = tyro.extras.get_parser(getattr(import_module(module), function))
    found = {}
    for action in parser._actions:
        long = [form.removeprefix("--") for form in action.option_strings if form.startswith("--")]
        if long and long[0] != "help":
            words = re.sub(r"\s*\((default: .*|required|repeatable)\)$", "", (action.help or "").replace("\n", " "))
            metavar = action.metavar if action.nargs != 0 else None
            found[long[0]] = Option(metavar and str(metavar), words, tuple(sorted(action.option_strings)))
    return found


@pytest.fixture(scope="module")
def every() -> dict[tuple[str, ...], dict[str, Option]]:
    return {command.name: options(command) for command in COMMANDS}


def test_an_option_means_the_same_everywhere(every) -> None:
    meanings: dict[str, dict[Option, list[str]]] = defaultdict(lambda: defaultdict(list))
    for command, known in every.items():
        for name, option in known.items():
            if name.removeprefix("no-") not in OWN:
                meanings[name][option].append(" ".join(command))
    differing = {name: dict(found) for name, found in meanings.items() if len(found) > 1}
    assert not differing


def test_every_output_has_a_short_form_and_says_what_it_is(every) -> None:
    for command, known in every.items():
        if "output" in known:
            assert "-o" in known["output"].forms and known["output"].metavar in ("DIR", "FILE"), command


def test_every_result_can_be_silent_and_json(every) -> None:
    for command, known in every.items():
        assert (known.keys() >= RESULTS) == (command not in WITHOUT_RESULTS), command


def test_every_command_that_reads_a_video_takes_a_part(every) -> None:
    assert [command for command, known in every.items() if "start" in known and "duration" in known] == sorted(
        VIDEOS, key=list(every).index
    )
    assert all("limit" in every[command] for command in VIDEOS)


def test_metavars_are_words_for_people(every) -> None:
    shown = {f"{command} {name}": option.metavar for command, known in every.items() for name, option in known.items()}
    assert not {name: metavar for name, metavar in shown.items() if metavar and "None" in metavar}


def test_commands_list_their_options_without_extras() -> None:
    code = f"""
import sys
from importlib import import_module

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {set(EXTRA_OF)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from ddfa.commands.registry import COMMANDS
for command in COMMANDS:
    module, _, function = command.target.partition(":")
    getattr(import_module(module), function)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
