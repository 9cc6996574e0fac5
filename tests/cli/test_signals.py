"""Signals end a run within seconds, even inside one long computation."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import tiny_run
from runs import QUICK, started, until

from mbs.cli.signals import AGAIN


@pytest.mark.guard("mbs/cli/signals.py", "signal.signal(number, _raise)", "pass")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_ends_a_run_within_seconds(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path, number: signal.Signals
) -> None:
    process = started([*tiny_run(checkpoint, corpus_folder, evaluation_folder), *QUICK], tmp_path)
    until(lambda: list((tmp_path / "outputs" / ".store" / "run").glob("*.owner")))
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert (process.returncode, err) == (128 + number, f"mbs: stopped by {number.name}; {AGAIN}\n")


LONG = """
import hashlib
from mbs.cli.signals import interruptible
with interruptible(grace=1):
    print("on", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 300_000_000)
"""


@pytest.mark.guard("mbs/cli/signals.py", "daemon=True).start()", "daemon=True)")
def test_a_signal_ends_even_one_long_computation() -> None:
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "on\n"
    for _ in range(3):  # who stops processes is impatient
        time.sleep(0.3)
        process.terminate()
    try:
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, err) == (143, f"mbs: stopped by SIGTERM; {AGAIN}\n")
