"""Every command that the README and the manual state composes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """The commands in shell blocks, each once."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    return list(dict.fromkeys(line for block in blocks for line in block.splitlines() if line.startswith("mbs ")))


def test_there_are_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.guard("README.md", "mix=english evaluation.documents=60", "mix=englisch evaluation.documents=60")
@pytest.mark.parametrize("command", commands())
def test_commands_compose(command: str, tmp_path: Path) -> None:
    """Every command is composed by Hydra as typed, with --cfg instead of a run."""
    words = [word for word in shlex.split(command, comments=True)[1:] if word != "-m"]
    ended = subprocess.run(
        [sys.executable, "-m", "mbs", "--cfg", "job", *[re.sub(r"=([^\[{,]+),.*", r"=\1", word) for word in words]],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
