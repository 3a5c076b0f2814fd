"""The documentation agrees with the code: links, commands, options, modules and files exist."""

import re
import subprocess
from functools import cache
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
CURRENT = [page for page in PAGES if page not in ("CHANGELOG.md", "docs/experiments.md")]  # the others name the past
WIDTH = 100
# Options are documented for these programs too.
PROGRAMS = ("src/ddfa/compat/v1_cli.py", "tools/*.py", "tools/headbuild/*.py", "benchmarks/*.py")
FOREIGN = {"--nproc-per-node", "--logdir", "--strict"}


@pytest.mark.parametrize("page", PAGES)
def test_links(root: Path, page: str) -> None:
    """Every relative link and image exists; the README's images and the model card come with the weights."""
    try:
        find_bundle()
    except ModelError:
        pytest.skip("needs the shipped weights, with which the result images are made")
    text = (root / page).read_text()
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (root / page).parent.joinpath(target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_anchors(root: Path, page: str) -> None:
    """Links to a section name a heading of the page they lead to."""
    links = re.findall(r"\]\(([^)\s:#]*\.md|)#([^)\s]+)\)", (root / page).read_text())
    missing = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in anchors((root / page).parent / target if target else root / page)
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_prose_is_wrapped(root: Path, page: str) -> None:
    """Lines of prose have at most 100 columns; tables, code and single long words may be longer."""
    long = [
        f"{page}:{number}"
        for number, line in enumerate((root / page).read_text().splitlines(), 1)
        if len(line) > WIDTH and not line.startswith(("|", "    ", "![", "<!--"))
    ]
    assert not long


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("src/ddfa/regress/crop.py", "def cut_crops"),
        ("src/ddfa/raster/visibility.py", "def face_visibility"),
        ("src/ddfa/export/glb.py", "targetNames"),
    ],
)
def test_a_reader_finds_the_code_in_two_hops(root: Path, module: str, text: str) -> None:
    """From the README to the architecture, and from there to the line that does it."""
    assert "](docs/architecture.md" in (root / "README.md").read_text()
    assert f"](../{module})" in (root / "docs/architecture.md").read_text()
    assert text in (root / module).read_text()


def test_no_marks_of_a_merge(root: Path) -> None:
    """No conflict markers are left."""
    search = ["git", "grep", "-lIE", "^(<{7} |>{7} )"]
    listed = subprocess.run(search, check=False, cwd=root, capture_output=True, text=True)
    if listed.returncode > 1:
        pytest.skip("needs a git checkout")
    assert not listed.stdout


@pytest.mark.parametrize("page", CURRENT)
def test_modules_and_files_exist(root: Path, page: str) -> None:
    """Dotted names of `ddfa` and paths in code spans exist."""
    spans = set(re.findall(r"`([^`\n]+)`", (root / page).read_text()))
    dotted = [span.split("(")[0] for span in spans if re.match(r"ddfa(\.\w+){2,}", span)]
    paths = [span for span in spans if re.fullmatch(r"(src|tools|tests|training|benchmarks|docs)/[\w./-]+", span)]
    missing = [name for name in dotted if not is_defined(name)] + [path for path in paths if not (root / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", CURRENT)
def test_options_exist(root: Path, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option in a code span belongs to one of our programs."""
    spans = re.findall(r"`([^`\n]+)`", (root / page).read_text())
    options = {
        option for span in spans for option in re.findall(r"(?<![\w-])--[a-z][\w.-]*\w(?![\w.])", span)
    } - FOREIGN
    known = "\n".join(help_of(command.name, capsys) for command in COMMANDS) if options else ""
    unknown = [option for option in sorted(options) if not names(option, known) and option not in program_options()]
    assert not unknown


def named_commands() -> list[tuple[str, str]]:
    """Every `ddfa ...` in an indented line or a code span, continuation lines joined, with its page."""
    found = []
    for page in CURRENT:
        text = re.sub(r"\\\n\s*", " ", (ROOT / page).read_text())
        found += [(page, line) for line in re.findall(r"^    (?:\w+=\S+ )*(ddfa [a-z].*)$", text, re.MULTILINE)]
        found += [(page, line) for line in re.findall(r"`(ddfa [a-z][^`\n]*)`", text)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("page", "line"), named_commands(), ids=lambda part: part[:60])
def test_commands_and_their_options_exist(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command of the documentation is one of ours, and its help lists every option."""
    words = re.split(r" [#|] ", line)[0].split()[1:]
    known = [command.name for command in COMMANDS if tuple(words[: len(command.name)]) == command.name]
    if not known:
        groups = {command.name[0] for command in COMMANDS}
        assert words[0] in groups or words[0] == "...", f"{page} names the command: {line}"
        return
    name = max(known, key=len)
    options = re.findall(r"(?<![\w-])(--?[a-z][\w.-]*)", " ".join(words[len(name) :]))
    missing = [option for option in options if not names(option, help_of(name, capsys))]
    assert not missing, f"{page}: {line}"


_HELPS: dict[tuple[str, ...], str] = {}


def help_of(name: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """The help of a command, printed once."""
    if name not in _HELPS:
        with pytest.raises(SystemExit):
            main([*name, "--help"])
        _HELPS[name] = capsys.readouterr().out
    return _HELPS[name]


def names(option: str, text: str) -> bool:
    """Whether a help text lists an option."""
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


@cache
def program_options() -> frozenset[str]:
    """Options of the programs beside `ddfa`: their literal flags, and their parameters as tyro names them."""
    text = "\n".join(path.read_text() for pattern in PROGRAMS for path in ROOT.glob(pattern))
    literal = re.findall(r"--[a-z][\w-]*", text) + [
        f"--{name}" for name in re.findall(r'^ +"(\w+)": \(', text, re.MULTILINE)
    ]
    parameters = [f"--{name.replace('_', '-')}" for name in re.findall(r"^    (\w+): .* = ", text, re.MULTILINE)]
    return frozenset([*literal, *parameters])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_defined(name: str) -> bool:
    """Whether `ddfa.package.module` or `ddfa.package.module.name` exists, without importing it."""
    *parents, last = name.split(".")
    module = ROOT / "src" / "/".join([*parents, last])
    if module.is_dir() or module.with_suffix(".py").is_file():
        return True
    home = (ROOT / "src" / "/".join(parents)).with_suffix(".py")
    return home.is_file() and re.search(rf"\b{last}\b", home.read_text()) is not None
