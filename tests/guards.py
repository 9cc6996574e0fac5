"""Takes away, one at a time, the lines that tests guard, and sees each test fail: `python tests/guards.py [WORD]`.

A test that cannot fail proves nothing. Every test marked `guard(file, line, without)` names a line of the code and what
to put in its place; a copy of the project with that change must fail the test.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Guard:
    """A test, by file and name, and the line that it guards."""

    test: str
    file: str
    line: str
    without: str


def guards() -> list[Guard]:
    """All of them, read from the tests' sources."""
    found = []
    for file in sorted(ROOT.glob("tests/**/test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.guard":
                    assert isinstance(node, ast.FunctionDef)
                    name, line, without = (ast.literal_eval(value) for value in mark.args)
                    found.append(Guard(f"{file.relative_to(ROOT)}::{node.name}", name, line, without))
    return found


def fails_without(guard: Guard) -> bool:
    """Whether the test fails in a copy of the project without the line; the time that it takes is the test's own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("mbs", "conf", "docs", "tests", "experiments", "README.md", "pyproject.toml"):
            source, target = ROOT / name, Path(folder, name)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        changed = Path(folder, guard.file)
        changed.write_text(changed.read_text(encoding="utf-8").replace(guard.line, guard.without), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "--no-cov", "-p", "no:cacheprovider", "-x"]
        environment = {**os.environ, "PYTHONPATH": folder, "MBS_KILL_SEED": "1"}
        ended = subprocess.run([*command, guard.test], cwd=folder, env=environment, capture_output=True, text=True,
                               check=False)  # fmt: skip
        if ended.returncode not in (0, 1) or (" failed" not in ended.stdout and ended.returncode == 1):
            raise RuntimeError(f"{guard.test} neither passed nor failed:\n{ended.stdout}\n{ended.stderr}")
        return ended.returncode == 1


def main() -> int:
    """One line per guard; exit code 1 when a test passes without its line."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = 0
    for guard in guards():
        if word not in guard.test:
            continue
        failed = fails_without(guard)
        passed += not failed
        print(
            f"{'fails' if failed else 'PASSES'} without `{guard.line.strip()}` ({guard.file}): {guard.test}", flush=True
        )
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
