"""What the run ran on: library versions, numerics, and the memory it took."""

from __future__ import annotations

import platform
import resource
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

LIBRARIES = ("mbs", "torch", "transformers", "tokenizers", "safetensors", "numpy", "hydra-core", "omegaconf")


def versions() -> dict[str, str]:
    """Versions of Python and of every library that can change a number."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return found


def numerics(device: str, dtype: str) -> dict[str, str | int]:
    """What besides inputs and versions decides the last bits: device, dtype, threads, instruction set."""
    import torch

    name = torch.cuda.get_device_name() if device.startswith("cuda") else torch.backends.cpu.get_cpu_capability()
    return {"device": device, "hardware": name, "dtype": dtype, "threads": torch.get_num_threads()}


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
