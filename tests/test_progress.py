"""Progress bars: on a terminal only, after a while, hidden on request, and never in the way of the output."""

import os
import subprocess
import sys
import time

import pytest

from ddfa.progress import Bar, hidden, track

pty = pytest.importorskip("pty", reason="needs a system with pseudo-terminals")


def on_a_terminal(code: str, tmp_path) -> tuple[str, str]:
    """What a script writes to its terminal, on stderr, and to its standard output, a file."""
    master, slave = pty.openpty()
    out = tmp_path / "out.txt"
    with out.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=file, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        shown += part
    process.wait()
    os.close(master)
    return shown.decode(), out.read_text()


def test_items_pass_through() -> None:
    assert list(track(iter([1, 2]), "test", 2)) == [1, 2]
    assert list(track([1, 2], "test", size=int)) == [1, 2]
    assert list(track([], "test")) == []


SLOW = """
import ddfa.progress as progress, time
progress._DELAY_S = {delay}
with progress.hidden({hidden}):
    for item in progress.track([1, 2], "working"):
        time.sleep(0.4)
        print("item", item)
"""


@pytest.mark.parametrize(("delay", "hide", "seen"), [(0.1, False, True), (0.1, True, False), (5, False, False)])
def test_a_bar_appears_after_a_while(tmp_path, delay: float, hide: bool, seen: bool) -> None:
    shown, out = on_a_terminal(SLOW.format(delay=delay, hidden=hide), tmp_path)
    assert ("working" in shown) == seen
    assert out == "item 1\nitem 2\n"  # what is redirected to a file does not get onto the terminal
    assert "item" not in shown


def test_nothing_is_shown_without_a_terminal(capfd, monkeypatch) -> None:
    monkeypatch.setattr("ddfa.progress._DELAY_S", 0.0)
    with Bar("working") as bar:
        time.sleep(0.1)
        bar.advance()
        bar.note("still")
    assert capfd.readouterr().err == ""


def test_hiding_ends_with_its_block() -> None:
    from ddfa import progress

    with hidden(), hidden(False):
        assert progress._hidden[-1]
    assert not progress._hidden[-1]
