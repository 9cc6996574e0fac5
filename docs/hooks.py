"""What MkDocs does besides: pages from elsewhere in the repository, tables of the configuration, pages of the API.

All of it is read from the sources when the pages are built, so that none of it can go stale. The tables are made in
`options.py`. A path of the project that a page names and that is not there is a warning, which ends a strict build.
"""

from __future__ import annotations

import ast
import logging
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from options import tables

ROOT = Path(__file__).resolve().parent.parent
LOG = logging.getLogger("mkdocs.hooks.project")

PACKAGE = ROOT / "mbs"
LINK = re.compile(r"(\]\()(?![a-z]+:|#|<)([^)\s#]+)(#[^)\s]*)?(\))")
PATH = re.compile(r"`((?:mbs|conf|tests|experiments|docs)/[\w./-]+)`")
CODE = re.compile(r"<code>([^<\n]{12,})</code>")
SHOWN = ("*.md", "*.png", "*.py", "*.json")  # of an experiment
TABLES = "<!-- options -->"
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not written in `docs/`, and name them in the navigation."""
    studies = [folder.parent.name for folder in sorted(ROOT.glob("experiments/*/README.md"))]
    for pattern in SHOWN:
        for file in sorted(ROOT.glob(f"experiments/*/{pattern}")):
            files.append(File.generated(config, file.relative_to(ROOT).as_posix(), abs_src_path=str(file)))
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    files.append(File.generated(config, "api/index.md", content=_public_names()))
    rooms = sorted(path.stem for path in PACKAGE.iterdir() if _is_room(path))
    for room in rooms:
        files.append(File.generated(config, f"api/{room}.md", content=_room(room)))
    assert config.nav is not None
    config.nav += [
        {"Experiments": [f"experiments/{study}/README.md" for study in studies]},
        {"API": ["api/index.md", *(f"api/{room}.md" for room in rooms)]},
        {"Project": ["CONTRIBUTING.md", "CHANGELOG.md"]},
    ]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the tables of options, and let links lead where they lead in the repository."""
    generated = page.file.generated_by is not None
    here = page.file.src_uri if generated else f"docs/{page.file.src_uri}"
    if not here.startswith("api/"):
        for path in PATH.findall(markdown):
            if not (ROOT / path).exists():
                LOG.warning(f"{here} names {path}, which is not there")

    def on_the_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[2]))
        if (ROOT / target / "README.md").is_file():
            target = f"{target}/README.md"
        target = target.removeprefix("docs/")
        start = posixpath.dirname(page.file.src_uri) or "."
        return f"{link[1]}{posixpath.relpath(target, start)}{link[3] or ''}{link[4]}"

    if not here.startswith("api/"):
        markdown = LINK.sub(on_the_site, markdown)
    return markdown.replace(TABLES, tables(ROOT / "conf")) if TABLES in markdown else markdown


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let long names in running text and tables break at their signs, so that a narrow page can show them."""

    def breakable(code: re.Match[str]) -> str:
        return "<code>" + re.sub(r"([/_,:=])", r"\1<wbr>", code[1]).replace(".", "<wbr>.") + "</code>"

    return CODE.sub(breakable, content)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn of what a reader's browser would fetch from another host: nothing is to be."""
    for address in FETCHED.findall(output):
        LOG.warning(f"{page.file.src_uri} fetches {address}")
    return output


def _is_room(path: Path) -> bool:
    return not path.stem.startswith("__") and (path.suffix == ".py" or (path / "__init__.py").is_file())


def _room(room: str) -> str:
    """The page of one room, or of one module beside the rooms: its own docstring, and every public module in it."""
    folder = PACKAGE / room
    if not folder.is_dir():
        return f"# mbs.{room}\n\n::: mbs.{room}\n"
    about = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    modules = (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in sorted(folder.rglob("*.py")))
    shown = [f"::: {name}" for name in modules if not name.rpartition(".")[2].startswith("__")]
    return "\n\n".join([f"# mbs.{room}", about, *shown]) + "\n"


def _public_names() -> str:
    """The page of the names that `import mbs` has, each with the first sentence of its docstring."""
    head = "# Names of `mbs`\n\nHow they go together: [The library](../library.md).\n\n"
    rows = [f"| [`mbs.{name}`][{link}] | {what} |\n" for name, link, what in sorted(_imported())]
    return "".join([head, "| name | what it is |\n| --- | --- |\n", *rows])


def _imported() -> Iterator[tuple[str, str, str]]:
    """The public names of the package, from the imports in its `__init__.py`: name, where it is explained, and how.

    A constant is explained by its module.
    """
    for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mbs."):
            continue
        module = ast.parse((ROOT / f"{str(node.module).replace('.', '/')}.py").read_text(encoding="utf-8"))
        for alias in node.names:
            held = (found for found in module.body if isinstance(found, ast.ClassDef | ast.FunctionDef))
            own = next((found for found in held if found.name == alias.name), None)
            text = " ".join((ast.get_docstring(own or module) or "").split("\n\n")[0].split())
            sentence = re.split(r"(?<=\.)\s(?=[A-Z`])", text)[0]
            yield alias.asname or alias.name, f"{node.module}.{alias.name}" if own else str(node.module), sentence
