"""Links between the documents lead somewhere, and the commands they name exist."""

import re
import subprocess
from pathlib import Path

import pytest

from ddfa.cli import COMMANDS, main
from ddfa.errors import ModelError
from ddfa.regress.registry import find_bundle

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md"))
]


@pytest.mark.parametrize("page", PAGES)
def test_links(root: Path, page: str) -> None:
    """Every relative link and picture exists; the README's pictures and the model card come with the weights."""
    try:
        find_bundle()
    except ModelError:
        pytest.skip("needs the shipped weights, of which the result pictures are made")
    text = (root / page).read_text()
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (root / page).parent.joinpath(target).exists()]
    assert not missing


def test_no_marks_of_a_merge(root: Path) -> None:
    """Nobody left a conflict behind."""
    search = ["git", "grep", "-lIE", "^(<{7} |>{7} )"]
    listed = subprocess.run(search, check=False, cwd=root, capture_output=True, text=True)
    if listed.returncode > 1:
        pytest.skip("needs a git checkout")
    assert not listed.stdout


def named_commands() -> list[tuple[str, str]]:
    """Every indented line `ddfa ...` of the documents, continuation lines joined, with its page."""
    found = []
    for page in PAGES:
        text = re.sub(r"\\\n\s*", " ", (ROOT / page).read_text())
        found += [(page, line) for line in re.findall(r"^    (?:\w+=\S+ )*(ddfa [a-z].*)$", text, re.MULTILINE)]
    return found


@pytest.fixture(scope="module")
def helps() -> dict[tuple[str, ...], str]:
    """The help of each command, asked for once."""
    return {}


@pytest.mark.parametrize(("page", "line"), named_commands(), ids=lambda part: part[:60])
def test_commands_and_their_flags_exist(
    page: str, line: str, helps: dict[tuple[str, ...], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A command of the documents is one of ours, and its help tells of every flag."""
    words = line.partition(" #")[0].split()[1:]
    names = [command.name for command in COMMANDS if tuple(words[: len(command.name)]) == command.name]
    if not names:
        groups = {command.name[0] for command in COMMANDS}
        assert words[0] in groups or words[0] == "...", f"{page} names the command: {line}"
        return
    name = max(names, key=len)
    if name not in helps:
        with pytest.raises(SystemExit):
            main([*name, "--help"])
        helps[name] = capsys.readouterr().out
    flags = re.findall(r"(?<![\w-])(--?[a-z][\w.-]*)", " ".join(words[len(name) :]))
    missing = [flag for flag in flags if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", helps[name])]
    assert not missing, f"{page}: {line}"
