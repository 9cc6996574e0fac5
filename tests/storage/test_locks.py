"""Of many claimants one wins, and a dead owner is taken over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from runs import process_of

from mbs.storage.locks import Claimed, claim, is_claimed, owner_of

CLAIM = """
import sys, time
from pathlib import Path
from mbs.storage.locks import Claimed, claim
try:
    with claim(Path(sys.argv[1])):
        print("mine", flush=True)
        time.sleep(float(sys.argv[2]))
except Claimed as claimed:
    print("theirs", claimed.owner.pid, flush=True)
"""


@pytest.mark.guard(
    "mbs/storage/locks.py", "lock.acquire(timeout=PATIENCE if wait else TRY, poll_interval=POLL)", "pass"
)
def test_of_64_claimants_one_wins(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[3]): time.sleep(0.01)\n" + CLAIM
    started = [process_of(code, tmp_path / "a.lock", 60, go) for _ in range(64)]
    go.touch()
    try:
        first: list[str] = []
        for process in started:
            assert process.stdout
            first.append(process.stdout.readline())
            if first[-1] == "mine\n":
                winner = process.pid
        assert first.count("mine\n") == 1
        assert first.count(f"theirs {winner}\n") == 63
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.guard("mbs/storage/locks.py", "name.unlink()", "pass")
def test_a_dead_owner_is_taken_over_and_a_done_one_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    process = process_of(CLAIM, file, 60)
    assert process.stdout
    assert process.stdout.readline() == "mine\n"
    owner = owner_of(file)
    assert owner is not None
    assert owner.pid == process.pid
    assert is_claimed(file)
    with pytest.raises(Claimed, match=f"process {process.pid} on "), claim(file):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with claim(file):
        assert owner_of(file) != owner
    assert list(tmp_path.iterdir()) == []
    assert not is_claimed(file)
