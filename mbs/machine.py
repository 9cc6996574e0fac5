"""What the run ran on: library versions, numerics, and the memory it took."""

from __future__ import annotations

import platform
import resource
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

from mbs.digests import source_digest

if TYPE_CHECKING:
    import torch

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


def processor() -> dict[str, str]:
    """The kind of machine on which measured rates of the CPU hold: model, instruction set, torch."""
    import torch

    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {"model": model, "capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}


def gpu_found() -> bool:
    """Whether torch finds a GPU; a build of torch that knows none is told by its version file, without importing it."""
    if "torch" not in sys.modules and not _built_for_gpus():
        return False
    import torch

    return torch.cuda.is_available()


def _built_for_gpus() -> bool:
    spec = find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if file is None or not file.is_file():
        return True
    version = run_path(str(file))
    return any(version.get(kind, "unknown") for kind in ("cuda", "hip"))


def numerics(device: torch.device, dtype: torch.dtype) -> dict[str, str | int]:
    """What besides inputs and versions decides the last bits: device, dtype, threads, instruction set, products."""
    import torch

    from mbs.products import probe

    on_gpu = device.type == "cuda"
    return {
        "device": str(device),
        "hardware": torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability(),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        **probe(device).record(),
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
