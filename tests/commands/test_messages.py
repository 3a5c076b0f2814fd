"""--quiet, --verbose, --json and --no-overwrite, as options of the command."""

import json
from pathlib import Path

import pytest

from ddfa import exit_codes
from ddfa.cli import main
from ddfa.commands.messages import Messages


@pytest.mark.parametrize(
    ("messages", "printed"),
    [
        (Messages(), "done\n"),
        (Messages(quiet=True), ""),
        (Messages(json=True), '{"count":2,"file":"a"}\n'),
        (Messages(quiet=True, json=True), '{"count":2,"file":"a"}\n'),
    ],
)
def test_a_result(capsys, messages: Messages, printed: str) -> None:
    messages.result("done", count=2, file=Path("a"))
    assert capsys.readouterr().out == printed


def test_json_is_one_object_a_line(capsys) -> None:
    assert main(["models", "list", "--json"]) == exit_codes.OK
    assert {"default", "large"} <= {json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()}


def test_quiet_prints_no_result(capsys) -> None:
    assert main(["models", "verify", "default", "-q"]) == exit_codes.OK
    assert capsys.readouterr() == ("", "")


def test_verbose_tells_versions_time_and_the_source_of_an_error(capsys) -> None:
    assert main(["models", "verify", "default", "--verbose"]) == exit_codes.OK
    printed = capsys.readouterr()
    assert "numpy" in printed.err and " s" in printed.err and printed.out == "default: intact\n"
    assert main(["align", "missing.jpg", "-v", "--threads", "1"]) == exit_codes.FAILED
    assert main(["align", "-v"]) == exit_codes.FAILED
    error = capsys.readouterr().err
    assert "Traceback" in error and error.splitlines()[-1] == "ddfa align: no photo given: ddfa align PHOTO..."


def test_existing_files_are_kept_on_request(root: Path, tmp_path: Path, capsys) -> None:
    photo = str(root / "samples" / "astronaut.jpg")
    words = ["align", photo, "-o", str(tmp_path), "--save", "json", "--threads", "1"]
    assert main(words) == exit_codes.OK
    before = (tmp_path / "astronaut_0.json").stat().st_mtime_ns
    assert main([*words, "--no-overwrite"]) == exit_codes.FAILED
    assert "astronaut_0.json exists: name another file" in capsys.readouterr().err
    assert (tmp_path / "astronaut_0.json").stat().st_mtime_ns == before
    assert main(words) == exit_codes.OK


def test_a_limit_of_photos(root: Path, tmp_path: Path, capsys) -> None:
    words = ["align", str(root / "samples"), "-o", str(tmp_path), "--save", "txt", "--threads", "1", "--limit"]
    assert main([*words, "1"]) == exit_codes.OK
    assert [path.name for path in tmp_path.iterdir()] == ["astronaut_0.txt"]
    assert main([*words, "-1"]) == exit_codes.FAILED
    assert "give 0 for all photos" in capsys.readouterr().err
