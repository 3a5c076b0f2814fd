"""The documentation site: links work there as in the repository, and every page is in the navigation."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def hooks(root: Path) -> ModuleType:
    """The hooks as a module."""
    spec = importlib.util.spec_from_file_location("site_hooks", root / "tools" / "site" / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("folder", "page", "before", "after"),
    [
        ("", "index.md", "[a](docs/head.md#regions)", "[a](head.md#regions)"),
        ("", "index.md", "![a](docs/images/test1.jpg)", "![a](images/test1.jpg)"),
        ("docs", "head.md", "[a](../README.md)", "[a](index.md)"),
        ("docs", "head.md", "[a](../src/ddfa/geometry/pose.py)", "[a](reference/geometry.md)"),
        ("docs", "head.md", "[`a`](../src/ddfa/files.py)", "`a`"),
        ("docs", "head.md", "[a](#regions) [b](https://example.org/x)", "[a](#regions) [b](https://example.org/x)"),
        ("docs", "reference/head.md", "[a](head.md)", "[a](../head.md)"),
    ],
)
def test_links_are_moved(hooks: ModuleType, folder: str, page: str, before: str, after: str) -> None:
    """Links lead to the same page on the site, to the API reference, or become text."""
    assert hooks.moved(before, folder, page) == after


def test_every_page_is_in_the_navigation(root: Path, hooks: ModuleType) -> None:
    """No page of `docs/` is left out."""
    listed = set(re.findall(r"[\w-]+\.md", (root / "mkdocs.yml").read_text().partition("\nnav:")[2]))
    assert {path.name for path in (root / "docs").glob("*.md")} | set(hooks.ROOT_PAGES.values()) | {
        hooks.EXAMPLES_PAGE
    } == listed


def test_the_reference_covers_the_public_names(hooks: ModuleType) -> None:
    """What can be imported from `ddfa` is on its first page, and a package's page lists its modules."""
    assert "::: ddfa.FaceAligner" in hooks.overview()
    assert "::: ddfa.geometry.pose" in hooks.reference_page("geometry")


def test_citation(root: Path) -> None:
    """CITATION.cff is valid YAML with the required keys."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
