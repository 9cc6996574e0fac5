"""A user's file with a name of release 0.1.0 gets one line that states the present name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from runs import one_line

from mbs.cli.moved import MOVED, new_place

RELEASED = Path(__file__).parents[1] / "outputs" / "0.1.0"


def targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from targets(value)


def test_every_old_name_leads_to_a_present_one() -> None:
    for new in MOVED.values():
        import_module(new)
    (result,) = RELEASED.glob("*/result.json")
    old = set(targets(json.loads(result.read_text())["config"]))
    assert len(old) > 5
    for target in old:
        module, _, name = (new_place(target) or target).rpartition(".")
        assert hasattr(import_module(module), name), target


@pytest.mark.guard("mbs/cli/config.py", "        refuse_moved(plain)\n", "")
def test_an_old_target_in_a_yaml_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "mix").mkdir(parents=True)
    (tmp_path / "mine/mix/mine.yaml").write_text("_target_: mbs.mixes.Single\nlanguage: en\nname: mine\n")
    line = one_line(*run(f"--config-dir={tmp_path}/mine", "mix=mine"))
    assert "mix._target_=mbs.mixes.Single, which has moved; expected mix._target_=mbs.data.mixes.Single" in line


@pytest.mark.guard("mbs/cli/config.py", "else moved_import(error)", "else None")
def test_an_old_import_in_a_users_module_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_of_mine.py").write_text("from mbs.pruners.magnitude import Magnitude as Best\n")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("plugin_of_mine", None)
    line = one_line(*run("pruner=none", "pruner._target_=plugin_of_mine.Best"))
    assert "imports mbs.pruners, which has moved; expected mbs.compression.pruners" in line
