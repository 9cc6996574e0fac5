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
FLOOR = "import torch, transformers.modeling_utils, hydra"
UNTIL_THE_FIRST_BATCH = """
import os
from mbs import cli, log

def stage(self, name, original=log.Log.stage):
    if name == "compress":  # not sooner, or torch would be imported in another way than by mbs itself
        from mbs import compress
        compress._Compress.at = lambda *_: os._exit(0)
    return original(self, name)

log.Log.stage = stage
cli.main()
"""
SWEEP = ["pruner=wanda,magnitude", "mix=english,uniform,mbs", "sparsity.ratio=0.5,0.6", "seed=0,1",
         "languages=[en,fr]", "evaluation.continuations=0"]  # fmt: skip


def seconds(command: list[str], folder: str) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return taken


def row(name: str, command: list[str], folder: str) -> float:
    """Print the median and the range of several."""
    taken = [seconds(command, folder) for _ in range(REPEATS)]
    print(f"| {name} | {statistics.median(taken):.2f} | {min(taken):.2f}-{max(taken):.2f} |", flush=True)
    return statistics.median(taken)


def main() -> None:
    """Fill the store first, so that what is measured is a warm start."""
    own = [str(Path(word).resolve()) for word in sys.argv[1:4]]
    keys = ("model.path", "corpus.path", "evaluation.path")
    words = [f"{key}={value}" for key, value in zip(keys, own, strict=False)]
    if own:
        words += [f"model.shares={own[0]}/training.json", "calibration.length=256"]
    words += ["tracker=none", "calibration.segments=32", "evaluation.documents=5"]
    mbs = [sys.executable, "-m", "mbs"]
    with tempfile.TemporaryDirectory() as folder:
        print("| seconds | median | range |\n| --- | --- | --- |")
        floor = row("importing torch, transformers and hydra", [sys.executable, "-c", FLOOR], folder)
        seconds([*mbs, *words, "sparsity.ratio=0.4"], folder)
        first = row(
            "to the first calibration batch, dense scores kept",
            [sys.executable, "-c", UNTIL_THE_FIRST_BATCH, *words],
            folder,
        )
        print(f"| ... as a multiple of the imports | {first / floor:.2f} | |")
        seconds([*mbs, "-m", *words, *SWEEP], folder)
        row("a finished sweep of 24 runs, again", [*mbs, "-m", *words, *SWEEP], folder)
    with tempfile.TemporaryDirectory() as folder:
        print(f"| to the first calibration batch, nothing kept | "
              f"{seconds([sys.executable, '-c', UNTIL_THE_FIRST_BATCH, *words], folder):.2f} | |")  # fmt: skip


if __name__ == "__main__":
    main()
