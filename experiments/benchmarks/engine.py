"""How near to the limit of this machine the engine works: seconds over a floor from FLOPs and measured rates.

`python experiments/benchmarks/engine.py` measures everything, prints the tables and writes `measured.json` beside it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plain
import torch
from transformers import AutoModelForCausalLM, BloomConfig, LlamaConfig, PreTrainedModel

import mbs.compression.compress
from mbs import BlockwiseModel, Magnitude, Skeleton, SparseGPT, Unstructured, Wanda, compress
from mbs.compression.gather import Gathering
from mbs.compression.gram import Gram
from mbs.compression.method import Pruner
from mbs.compression.moments import SiteMoments
from mbs.data.sampler import CalibrationSet
from mbs.engine.matmul import Numerics, measured, using
from mbs.engine.walk import Hidden

HERE = Path(__file__).parent
SEQUENCES, LENGTH, HIDDEN, BLOCKS, WIDE, VOCABULARY, THREADS = 32, 1024, 1024, 4, 2816, 1000, 2
PRUNERS: dict[str, Pruner] = {"magnitude": Magnitude(), "wanda": Wanda(), "sparsegpt": SparseGPT()}
PLAIN = {"magnitude": plain.magnitude, "wanda": plain.wanda, "sparsegpt": plain.sparsegpt}
SHAPES: dict[str, Callable[[], Any]] = {
    "BLOOM": lambda: BloomConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, n_layer=BLOCKS, n_head=16),
    "Llama": lambda: LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=WIDE,
        num_hidden_layers=BLOCKS,
        num_attention_heads=16,
        num_key_value_heads=8,
    ),
}
# Linears of a block as (outputs, inputs), grouped by the input that they share, in the order of execution.
SITES = {
    "BLOOM": [[(3072, 1024)], [(1024, 1024)], [(4096, 1024)], [(1024, 4096)]],
    "Llama": [[(1024, 1024), (512, 1024), (512, 1024)], [(1024, 1024)], [(WIDE, 1024)] * 2, [(1024, WIDE)]],
}


def floor_flops(shape: str, method: str) -> float:
    """The operations that no exact implementation can do without.

    Two passes of causal attention and linears, less the last linear of a block while statistics are gathered and the
    second pass of the last block; for SparseGPT half of each Gram matrix per distinct input, `2/3 C^3` for each factor,
    and `R C^2` for the updates. Matrices count 2 operations per weight and token.
    """
    if method == "magnitude":
        return 0.0
    tokens = SEQUENCES * LENGTH
    weights = [sum(R * C for R, C in site) for site in SITES[shape]]
    attention = 2 * HIDDEN * LENGTH * tokens  # scores and their products with values, half of each
    gathering = BLOCKS * (2 * tokens * sum(weights[:-1]) + attention)
    second = (BLOCKS - 1) * (2 * tokens * sum(weights) + attention)
    if method == "wanda":
        return gathering + second
    inputs = [site[0][1] for site in SITES[shape]]
    grams = BLOCKS * sum(tokens * C * C for C in inputs)
    factors = BLOCKS * sum(2 / 3 * C**3 for C in inputs)
    updates = BLOCKS * sum(R * C * C for site in SITES[shape] for R, C in site)
    return gathering + second + grams + factors + updates


@cache
def numerics() -> Numerics:
    """How this process multiplies, measured once."""
    return measured()


def measured_rate(size: int = 2048, seconds: float = 1.5) -> float:
    """FLOP/s of float32 products that this machine sustains, by the best accurate unit of the processor."""
    A = torch.randn(size, size)
    out = torch.mm(A, A)
    products = 0
    with using(numerics().float32):
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            torch.mm(A, A, out=out)
            products += 1
        return products * 2 * size**3 / (time.perf_counter() - began)


def model_of(shape: str) -> PreTrainedModel:
    """Random float32 weights, the same every time."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(SHAPES[shape]()).eval()
    assert isinstance(model, PreTrainedModel)
    return model


def rows() -> CalibrationSet:
    """Random tokens of one language."""
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (SEQUENCES, LENGTH))
    return CalibrationSet(tokens, ("en",) * SEQUENCES, (("d",),) * SEQUENCES)


def ours(shape: str, method: str, memory: dict[str, float]) -> float:
    """Seconds of the engine; the memory that it took goes to `memory`."""
    model, calibration = BlockwiseModel.of(model_of(shape), numerics=numerics()), rows()
    with peak_above(memory):
        began = time.perf_counter()
        compress(model, calibration, PRUNERS[method], Unstructured(plain.RATIO))
        return time.perf_counter() - began


def theirs(shape: str, method: str) -> float:
    """Seconds of the plain rendering."""
    skeleton = Skeleton(model_of(shape))
    ids = torch.from_numpy(rows().tokens)
    began = time.perf_counter()
    entered = [skeleton.enter(row[None]) for row in ids] if method != "magnitude" else []
    arguments = entered[0][1] if entered else []
    modules = [call.module for call in skeleton.chain]
    states = [h for h, _ in entered]
    with torch.no_grad():
        PLAIN[method](modules, states, lambda k, h: arguments[k].call(modules[k], h))
    return time.perf_counter() - began


def anonymous_bytes() -> int:
    """Anonymous resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def peak_above(result: dict[str, float]) -> Iterator[None]:
    """The most anonymous memory above what there was at the start, looked at every 5 ms, in GB."""
    ctypes.CDLL(None).malloc_trim(0)
    start, peak, done = anonymous_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        result["peak_gb"] = max(result.get("peak_gb", 0.0), (peak - start) / 1e9)


def breakdown(shape: str, method: str) -> dict[str, float]:
    """Seconds of one more run by what they went into."""
    spent: dict[str, float] = defaultdict(float)

    def timed(owner: Any, name: str, label: str) -> None:
        original = getattr(owner, name)

        def run(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                spent[label] += time.perf_counter() - began

        setattr(owner, name, run)

    timed(Gathering, "of", "gathering pass with statistics")
    timed(SiteMoments, "add", "statistics")
    timed(Gram, "add", "Gram products")
    timed(Gram, "factor", "factorisation")
    timed(Gram, "energy", "reconstruction errors")
    timed(mbs.compression.compress, "relative_errors", "reconstruction errors")
    timed(type(PRUNERS[method]), "solve", "solving with factorisation")
    timed(Hidden, "advance", "second pass")
    whole = ours(shape, method, {})
    gathering = spent.pop("gathering pass with statistics")
    spent["gathering pass"] = gathering - spent["statistics"]
    spent["squared norms"] = spent.pop("statistics") - spent["Gram products"]
    spent["masks and updates"] = spent.pop("solving with factorisation") - spent["factorisation"]
    spent["the rest"] = whole - sum(spent.values())
    return {label: round(seconds, 2) for label, seconds in spent.items() if seconds > 0}


def work(shape: str, method: str, way: str, repeats: int) -> dict[str, Any]:
    """All figures of one cell of the table, in this process."""
    torch.set_num_threads(THREADS)
    numerics()
    seconds, rates, memory = [], [], dict[str, float]()
    for _ in range(repeats):
        rates.append(measured_rate())
        seconds.append(ours(shape, method, memory) if way == "ours" else theirs(shape, method))
        rates.append(measured_rate())
    figures: dict[str, Any] = {
        "seconds": statistics.median(seconds),
        "all_seconds": [round(s, 3) for s in seconds],
        "gflops": statistics.median(rates) / 1e9,
        "floor": floor_flops(shape, method) / statistics.median(rates),
        **memory,
    }
    if way == "ours" and method != "magnitude":
        figures["breakdown"] = breakdown(shape, method)
    return figures


def main() -> None:
    """Every cell in a process of its own, ours and the plain one in turn; tables and `measured.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain-repeats", type=int, default=1, help="the plain ones take minutes")
    parser.add_argument("--cell", nargs=3, metavar=("SHAPE", "METHOD", "WAY"), help="measure this one and print it")
    parser.add_argument("--ours", action="store_true", help="leave out the plain ones")
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(work(*arguments.cell, arguments.repeats)))
        return
    measured: dict[str, Any] = {"machine": machine(), "cells": {}}
    for shape in SHAPES:
        for method in PRUNERS:
            for way in ("ours",) if arguments.ours else ("ours", "plain"):
                repeats = arguments.repeats if way == "ours" else arguments.plain_repeats
                command = [sys.executable, __file__, "--repeats", str(repeats), "--cell", shape, method, way]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                cell = json.loads(done.stdout)
                measured["cells"][f"{shape} {method} {way}"] = cell
                over = f"{cell['seconds'] / cell['floor']:.2f} x floor" if cell["floor"] else ""
                memory = f"{cell['peak_gb']:.2f} GB" if "peak_gb" in cell else ""
                print(f"{shape:6} {method:10} {way:6} {cell['seconds']:8.2f} s  {over:13}  {memory:8}"
                      f"  ({cell['gflops']:.0f} GFLOP/s)", flush=True)  # fmt: skip
                for label, seconds in sorted(cell.get("breakdown", {}).items(), key=lambda item: -item[1]):
                    print(f"         {label:24} {seconds:6.2f} s", flush=True)
    (HERE / "measured.json").write_text(json.dumps(measured, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Processor, threads, versions, and which products were chosen."""
    torch.set_num_threads(THREADS)
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    return {
        "processor": names[0] if names else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": THREADS,
        "torch": torch.__version__,
        "products": numerics().record(),
        "gflops": dict(numerics().gflops),
    }


if __name__ == "__main__":
    main()
