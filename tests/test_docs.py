"""Links between the documents lead somewhere."""

import re
from pathlib import Path

import pytest

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
