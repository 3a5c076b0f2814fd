"""Hooks of the documentation site: pages from elsewhere, the examples, the API reference, links to sources.

MkDocs reads pages from `docs/` only. These hooks add the README as the home page, the other pages of the repository's
root, and one page of the API reference per package. Links are rewritten so that the same Markdown works in the
repository and on the site: a link to a source file leads to the reference page of its package, or becomes plain text.
"""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ddfa"
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSES.md": "licenses.md",
}
EXAMPLES_PAGE = "examples.md"
INTERNAL = {"commands", "compat"}  # documented by the help of the commands
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the API reference in the navigation."""
    reference = [{"Overview": "reference/index.md"}, *({name: f"reference/{name}.md"} for name in packages())]
    config.nav = [{"API reference": reference} if "API reference" in entry else entry for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root and the API reference."""
    for source, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=moved((ROOT / source).read_text(), "", page)))
    files.append(File.generated(config, EXAMPLES_PAGE, content=examples()))
    files.append(File.generated(config, "reference/index.md", content=overview()))
    for name in packages():
        files.append(File.generated(config, f"reference/{name}.md", content=reference_page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite the links of a page in `docs/` that lead out of it."""
    if page.file.generated_by:
        return markdown
    return moved(markdown, "docs", page.file.src_uri)


def packages() -> list[str]:
    """Names of the packages and modules that have a page in the reference."""
    names = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    return sorted(set(names) - INTERNAL)


def moved(markdown: str, folder: str, page: str) -> str:
    """Markdown from a file in `folder` of the repository, with the links it needs as `page` of the site."""

    def replace(link: re.Match[str]) -> str:
        image, text, target = link.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return link.group()
        path, hash_sign, anchor = target.partition("#")
        found = site_path(posixpath.normpath(posixpath.join(folder, path)))
        if found is None:
            return text
        return f"{image}[{text}]({posixpath.relpath(found, posixpath.dirname(page) or '.')}{hash_sign}{anchor})"

    return LINK.sub(replace, markdown)


def site_path(path: str) -> str | None:
    """Where a file of the repository is on the site; None if it is not there."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path.startswith("docs/") and (ROOT / path).is_file():
        return path.removeprefix("docs/")
    package = re.match(r"src/ddfa/(\w+)", path)
    if package and package[1] in packages():
        return f"reference/{package[1]}.md"
    return None


def examples() -> str:
    """The scripts in `examples/`, with their code."""
    parts = ["# Examples", "Scripts and notebooks to start from; the tests run each of them."]
    notebooks = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
    titles = [(path.name, json.loads(path.read_text())["cells"][0]["source"][0].strip("# \n")) for path in notebooks]
    parts.append("\n".join(f"- `examples/notebooks/{name}`: {title}" for name, title in titles))
    for path in sorted((ROOT / "examples").glob("*.py")):
        _, description, code = path.read_text().split('"""', 2)
        parts += [f"## {path.name}", description.strip(), f"```python\n{code.strip()}\n```"]
    return "\n\n".join(parts)


def overview() -> str:
    """The first page of the reference: what `import ddfa` offers, and the packages."""
    rows = [f"| [`ddfa.{name}`]({name}.md) | {summary(PACKAGE / name / '__init__.py')} |" for name in packages()]
    table = "\n".join(["| package | contains |", "|---|---|", *rows])
    names = "\n".join(f"::: ddfa.{name}\n" for name in public_names())
    return f"# API reference\n\n{table}\n\nEverything below can be imported from `ddfa`.\n\n{names}"


def public_names() -> list[str]:
    """The names in `ddfa.__all__`, in its order, without the version."""
    text = (PACKAGE / "__init__.py").read_text()
    listed = text.partition("__all__ = [")[2].partition("]")[0]
    return [name for name in re.findall(r'"(\w+)"', listed) if not name.startswith("_")]


def reference_page(name: str) -> str:
    """One page of the reference: every module of a package that defines something public."""
    folder = PACKAGE / name
    modules = [path for path in sorted(folder.rglob("*.py")) if path.name != "__init__.py" and is_public(path)]
    dotted = ["ddfa." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in modules]
    parts = [f"# ddfa.{name}\n\n{summary(folder / '__init__.py')}"]
    options = "    options:\n      show_root_heading: false\n      show_root_toc_entry: false"
    parts += [f"## {module.removeprefix('ddfa.')}\n\n::: {module}\n{options}" for module in dotted]
    return "\n\n".join(parts)


def is_public(path: Path) -> bool:
    """Whether a module, by its name and content, defines something for users."""
    text = path.read_text()
    private = any(part.startswith("_") for part in path.relative_to(PACKAGE).parts)
    return not private and re.search(r"^(def|class) [^_]", text, re.MULTILINE) is not None


def summary(module: Path) -> str:
    """The first line of a module's docstring."""
    return module.read_text().removeprefix('"""').partition("\n")[0].rstrip('"')
