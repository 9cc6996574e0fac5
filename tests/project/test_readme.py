"""Every command of the README composes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT


def commands_of_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("mbs ")]


def test_the_readme_has_commands() -> None:
    assert len(commands_of_readme()) >= 3


@pytest.mark.guard("README.md", "mix=english evaluation.documents=60", "mix=englisch evaluation.documents=60")
@pytest.mark.parametrize("command", commands_of_readme())
def test_the_readmes_commands_compose(command: str, tmp_path: Path) -> None:
    """Every command is composed by Hydra as typed, with --cfg instead of a run."""
    import shlex

    words = [word for word in shlex.split(command)[1:] if word != "-m"]
    ended = subprocess.run(
        [sys.executable, "-m", "mbs", "--cfg", "job", *[re.sub(r"=([^\[{,]+),.*", r"=\1", word) for word in words]],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
