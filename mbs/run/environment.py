"""What the run ran on: library versions, numerics, and the memory it took."""

from __future__ import annotations

import platform
import resource
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from mbs.engine.model import BlockwiseModel
from mbs.storage.digests import source_digest

LIBRARIES = ("mbs", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "lm-eval",
             "py3langid", "hydra-core", "omegaconf")  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of every library that can change a number, and a digest of sources edited in place."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    sources = source_digest()
    return found if sources is None else {**found, "mbs sources": sources}


def computed_on(model: BlockwiseModel) -> dict[str, str | int]:
    """What besides inputs and versions decides the last bits: device, dtype, threads, instruction set, products."""
    on_gpu = model.device.type == "cuda"
    return {
        "device": str(model.device),
        "hardware": torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability(),
        "dtype": str(model.hf.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        **model.numerics.record(),
    }


def reset_peak_memory() -> None:
    """Begin measuring anew, where the kernel allows it, so that runs of one sweep do not inherit each other's peak."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """The largest resident memory since the last reset (since the start where there is no /proc)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
