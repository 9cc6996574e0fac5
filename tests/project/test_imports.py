"""Rooms import downwards only, what is public exists, and the version is stated once."""

from __future__ import annotations

import ast
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT

import mbs

# Imports go down this list only.
ROOMS = ["errors", "demo", "storage", "engine", "data", "compression", "evaluation", "metrics", "library",
         "trackers", "run", "report", "cli", "__main__"]  # fmt: skip

# What the rooms from storage to metrics may not import, and where an exception is made.
FORBIDDEN = {"hydra", "omegaconf", "wandb", "rich", "datasets", "lm_eval", "pyarrow"}
LIBRARY = {"storage", "engine", "data", "compression", "evaluation", "metrics", "library"}
EXCEPTIONS = {"mbs.data.corpora": {"datasets", "pyarrow"}, "mbs.evaluation.tasks": {"datasets", "lm_eval"}}


def modules() -> dict[str, Path]:
    files = sorted((ROOT / "mbs").rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("module", [name for name in modules() if name != "mbs.__init__"])
def test_imports_go_down_only(module: str) -> None:
    room = module.split(".")[1]
    allowed = EXCEPTIONS.get(module.rpartition(".")[0], set())
    for name in imported(modules()[module]):
        top, *rest = name.split(".")
        if top == "mbs" and rest and rest[0] != room:
            assert ROOMS.index(rest[0]) < ROOMS.index(room), f"{module} imports {name}"
        if room in LIBRARY:
            assert top not in FORBIDDEN - allowed, f"{module} imports {name}"


def test_every_room_is_in_the_order() -> None:
    assert {name.split(".")[1] for name in modules()} - {"__init__"} == set(ROOMS)


def test_public_names_exist() -> None:
    for name in mbs.__all__:
        assert getattr(mbs, name) is not None
        assert name in dir(mbs)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = mbs.nothing_of_the_kind


def test_the_version_is_stated_once_in_effect() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert stated == mbs.__version__ == metadata.version("mbs")
