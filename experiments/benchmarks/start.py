"""What a run costs before it computes: seconds to the first calibration batch, and to see that a sweep is finished.

`python experiments/benchmarks/start.py [MODEL TEXT NEWS]` prints the table; without words, the embedded model.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 5
REACHED = 42  # the exit code of a process that came as far as it was to come
FLOOR = f"import os, torch, transformers.modeling_utils, hydra; os._exit({REACHED})"
UNTIL_THE_FIRST_BATCH = f"""
import os
from mbs.cli import main as cli
from mbs.run import log

def stage(self, name, original=log.Log.stage):
    if name == "compress":  # not sooner, or torch would be imported in another way than by mbs itself
        from mbs.compression import compress
        compress._Compress.at = lambda *_: os._exit({REACHED})
    return original(self, name)

log.Log.stage = stage
cli.main()
"""
SWEEP = ["pruner=wanda,magnitude", "mix=english,uniform,mbs", "sparsity.ratio=0.5,0.6", "seed=0,1",
         "languages=[en,fr]", "evaluation.continuations=0"]  # fmt: skip


def seconds(command: list[str], folder: str, code: int = 0) -> float:
    """Wall time of one process, which must end with this exit code."""
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if ended.returncode != code:
        raise RuntimeError(f"exit code {ended.returncode} instead of {code}: {ended.stdout}{ended.stderr}")
    return taken


def row(name: str, taken: list[float]) -> None:
    """Print the median and the range of several."""
    print(f"| {name} | {statistics.median(taken):.2f} | {min(taken):.2f}-{max(taken):.2f} |", flush=True)


def main() -> None:
    """Fill the store first, so that what is measured is a warm start."""
    own = [str(Path(word).resolve()) for word in sys.argv[1:4]]
    keys = ("model.path", "corpus.path", "evaluation.path")
    words = [f"{key}={value}" for key, value in zip(keys, own, strict=False)]
    if own:
        words += [f"model.shares={own[0]}/training.json", "calibration.length=256"]
    words += ["tracker=none", "calibration.segments=32", "evaluation.documents=5"]
    mbs = [sys.executable, "-m", "mbs"]
    floor = [sys.executable, "-c", FLOOR]
    first = [sys.executable, "-c", UNTIL_THE_FIRST_BATCH, *words]
    print("| seconds | median | range |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        row("to the first calibration batch, nothing kept", [seconds(first, folder, REACHED)])
    with tempfile.TemporaryDirectory() as folder:
        seconds([*mbs, *words, "sparsity.ratio=0.4"], folder)
        pairs = [(seconds(floor, folder, REACHED), seconds(first, folder, REACHED)) for _ in range(REPEATS)]
        imports, starts = ([*taken] for taken in zip(*pairs, strict=True))
        row("importing torch, transformers and hydra, in turn with", imports)
        row("to the first calibration batch, dense scores kept", starts)
        row("... as a multiple of the imports", [start / bare for bare, start in pairs])
        seconds([*mbs, "-m", *words, *SWEEP], folder)
        row("a finished sweep of 24 runs, again",
            [seconds([*mbs, "-m", *words, *SWEEP], folder) for _ in range(REPEATS)])  # fmt: skip


if __name__ == "__main__":
    main()
