"""A run that is killed at any moment goes on with the same command, and ends with the same bits.

`MBS_KILLS=50 pytest -n 0 -s tests/run/test_crash.py` kills more often and shows when and in what;
MBS_KILL_SEED repeats; MBS_DEVICE=cuda does it on a GPU.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import tiny_run
from runs import content, only

KILLS = int(os.environ.get("MBS_KILLS", "8"))
SLOW = ["pruner=sparsegpt", "pruner.exact=true", "calibration.segments=60", "batch_tokens=32", "mix=uniform"]
DEVICE = os.environ.get("MBS_DEVICE", "cpu")
SEED = int(os.environ.get("MBS_KILL_SEED", random.SystemRandom().randrange(10**6)))


def launched(words: list[str], outputs: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mbs", *words, f"outputs={outputs}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def prepared(outputs: Path, whole: Path) -> Path:
    """An output folder that has only the choice of products, as of one machine; there is none of a GPU."""
    for measured in whole.glob(".store/products"):
        shutil.copytree(measured, outputs / ".store" / "products")
    return outputs


def finished(words: list[str], outputs: Path) -> float:
    """Run to the end; gives the seconds that it took."""
    began = time.monotonic()
    process = launched(words, outputs)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return time.monotonic() - began


def stage_of(outputs: Path) -> str:
    """What a run did last, by its log; imports and reading come before the log."""
    log = next(iter(outputs.glob("*/metrics.jsonl")), None)
    lines = log.read_text().splitlines() if log else []
    last = json.loads(lines[-1]) if lines else {"event": "imports and reading"}
    if last["event"] == "finished":
        return "the end" if list(outputs.glob("*/run.json")) else "after the end"
    kept = sum(len([*outputs.glob(pattern)]) for pattern in (".store/*/*.stage", "*/.blocks/*/*.stage"))
    names = [str(last[key]) for key in ("event", "model", "kind", "stage", "block", "language") if key in last]
    return f"after {' '.join(names)}, {kept} stages kept"


@pytest.mark.guard("mbs/compression/compress.py", "put_back(block, arrays, self._dtype(block))", "pass")
def test_killed_at_random_moments_and_resumed_a_run_ends_with_the_same_bits(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    words = [*tiny_run(checkpoint, corpus_folder, evaluation_folder), "save=true", f"model.device={DEVICE}", *SLOW]
    whole = tmp_path / "whole"
    finished(words, whole)
    expected = content(only(whole))
    seconds = finished(words, prepared(tmp_path / "timed", whole))  # the first one read what the system now has at hand
    assert content(only(tmp_path / "timed")) == expected
    moments = random.Random(SEED)
    print(f"\nseed {SEED}, {KILLS} kills within {seconds:.1f} s")
    killed, missed = 0, False
    while killed < KILLS:
        outputs = prepared(tmp_path / str(time.monotonic_ns()), whole)
        drawn = moments.random()  # each from a part of its own, so that few kills also come early, midway and late
        moment = seconds * (drawn if missed else (killed + drawn) / KILLS)
        process = launched(words, outputs)
        try:
            process.wait(timeout=moment)
            missed = True  # it ended before its moment came
            continue
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        finally:
            process.communicate()
        killed, missed = killed + 1, False
        stage = stage_of(outputs)
        took = finished(words, outputs)
        print(f"{killed:3}  {moment:5.2f} s  {stage}: went on for {took:.1f} s", flush=True)
        assert content(only(outputs)) == expected, f"killed at {moment:.2f} s ({stage}), seed {SEED}"
        assert not list(outputs.glob("*/run.json"))
        assert not list(outputs.glob("*/.blocks"))
