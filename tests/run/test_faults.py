"""Full disks and clocks that jump: one line, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Run
from runs import QUICK, content, only

FULL = r"mbs: no space left for \S+; expected room on that disk; try .*\n"


@pytest.mark.guard("mbs/storage/files.py", "temporary.unlink(missing_ok=True)", "pass")
@pytest.mark.guard("mbs/storage/files.py", "raise unwritable(path, error) from error", "pass")
def test_a_full_disk_is_one_line_at_any_write_and_nothing_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*QUICK, "outputs=whole")
    original, writes = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal writes
        writes -= 1
        if writes < 0:
            raise OSError(28, "No space left on device")
        original(descriptor)

    monkeypatch.setattr("mbs.storage.files.os.fsync", full)
    failed = 0
    for room in (0, 2, 4, 6, 5, 6, 5, 8, 6):  # each attempt finds a little room, and uses it to go on
        writes = room
        code, _, err = run(*QUICK)
        if code == 0:
            break
        failed += 1
        assert code == 2
        assert re.fullmatch(f"(mbs: going on: .*\n)?{FULL}", err)
        assert not list(Path("outputs").glob("tiny_bloom-*/result.json"))
        assert not list(Path("outputs").rglob("*.part"))
    assert failed > 3
    monkeypatch.setattr("mbs.storage.files.os.fsync", original)
    assert run(*QUICK)[0] == 0
    assert content(only()) == content(only(Path("whole")))


def test_a_small_disk_of_its_own(tmp_path: Path, run: Run) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user cannot mount a disk")
    try:
        code, _, err = run(*QUICK, f"outputs={disk}", "save=true")
        assert code == 2
        assert re.fullmatch(FULL, err)
        assert not list(disk.glob("*/result.json"))
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.guard("mbs/run/log.py", "began = time.monotonic()", "began = time.time()")
def test_a_clock_that_jumps_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*QUICK, "outputs=steady")
    jumps = iter(range(10**9))
    for name, unit in (("time", 1.0), ("time_ns", 10**9)):
        original = getattr(time, name)
        monkeypatch.setattr(time, name, lambda o=original, u=unit: o() + u * (-1) ** next(jumps) * 10**8)
    assert run(*QUICK)[0] == 0
    assert content(only()) == content(only(Path("steady")))
    taken = json.loads((only() / "result.json").read_text())["seconds"].values()
    assert all(0 <= seconds < 1000 for seconds in taken)
    assert "finished before" in run(*QUICK)[1]
