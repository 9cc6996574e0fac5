"""Which device a model runs on, and what is known of the processor."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import torch

from mbs.errors import MbsError


def resolved_device(device: str) -> str:
    """The device that `auto` stands for; raises MbsError for a GPU that is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise MbsError(f"model.device={device}, and torch finds no GPU", "a device that is there", "model.device=cpu")
    return device


def processor() -> dict[str, str]:
    """The kind of CPU, for which measured rates hold: model name, instruction set, version of torch."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {"model": model, "capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}
