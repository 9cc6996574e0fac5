"""Starting: no torch for what needs none, and a bug is called one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run

from mbs.cli import main as cli


def test_a_bug_is_called_a_bug(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(cli, "_run", broken)
    code, _, err = run()
    assert code == 1
    assert "mbs: this is a bug (RuntimeError: oops)" in err
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RuntimeError, match="oops"):
        cli.main()


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-Werror", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def test_importing_mbs_and_completing_imports_no_torch() -> None:
    heavy = "[m for m in ('torch', 'transformers', 'wandb') if m in sys.modules]"
    assert python(f"import sys, mbs; print({heavy})").stdout.strip() == "[]"
    code = f"import sys, atexit, mbs.cli.main; atexit.register(lambda: print({heavy})); mbs.cli.main.main()"
    environment = {**os.environ, "COMP_LINE": "mbs pruner=", "COMP_POINT": "11"}
    command = [sys.executable, "-c", code, "-sc", "query=bash"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split("\n")
    assert shown[:2] == ["pruner=magnitude pruner=none pruner=sparsegpt pruner=wanda", "[]"]


def test_the_module_runs_like_the_command(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mbs", "sparsity=50"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())
