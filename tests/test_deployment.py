"""Container, compose and workflow files agree with the package; this checks their steps where Docker is missing."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddfa.cli import main


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    """The metadata of the project."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def test_the_image_copies_what_exists_and_is_not_ignored(root: Path) -> None:
    """Sources of COPY exist and .dockerignore lets them through."""
    allowed = set(re.findall(r"^!(.+)$", (root / ".dockerignore").read_text(), re.MULTILINE))
    lines = re.findall(r"^COPY (?!--)(.+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in lines for source in line.split()[:-1]]
    assert sources
    assert all((root / source).exists() for source in sources)
    assert set(sources) <= allowed


def test_extras_exist(root: Path, project: dict[str, Any]) -> None:
    """The extras that the image and the trials install are those of the package."""
    extras = set(project["optional-dependencies"])
    (installed,) = re.findall(r"\[([\w,]+)\]\"", (root / "Dockerfile").read_text())
    assert set(installed.split(",")) <= extras
    trials = (root / "tools" / "dist_test.py").read_text().partition("TRIALS")[2].partition("\n}")[0]
    assert set(re.findall(r'^    "(\w+)":', trials, re.MULTILINE)) == extras - {"dev", "docs"}


def test_commands_of_the_containers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options in the image's command and in compose.yaml exist; the health check asks for a route of the service."""
    services = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    default = re.search(r"^CMD (\[.+\])$", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert default
    for command in [yaml.safe_load(default[1]), *(service["command"] for service in services.values())]:
        with pytest.raises(SystemExit):
            main([command[0], "--help"])
        text = capsys.readouterr().out
        assert all(option in text for option in command if option.startswith("--"))
    app = "\n".join(path.read_text() for path in (root / "src" / "ddfa" / "serve").glob("*.py"))
    assert '"/healthz"' in app
    assert "/healthz" in (root / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_workflows(root: Path, name: str) -> None:
    """Workflows are valid YAML, and the scripts they run exist."""
    workflow = yaml.safe_load((root / ".github" / "workflows" / name).read_text())
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    scripts = [word for line in runs for word in line.split() if re.fullmatch(r"(tools|\.ci)/[\w./]+", word)]
    assert scripts
    assert all((root / script).exists() for script in scripts)


def test_ray_job(root: Path) -> None:
    """The example for a cluster runs a command with options that exist."""
    job = yaml.safe_load((root / "deploy" / "ray-job.yaml").read_text())
    assert job["spec"]["entrypoint"].startswith("ddfa batch ")
    assert "--engine ray" in job["spec"]["entrypoint"]
