"""Which unit of the processor multiplies matrices: measured once, the fastest of the accurate ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from mbs.engine.switches import one_thread

SIZE = 1024  # a product of this side takes some 20 ms of one thread and is large enough to run at full rate
ACCURATE = 3e-6  # relative to the largest entry: rounding of float32 sums over SIZE terms stays well below
REPEATS = 5
MARGIN = 1.4  # a choice that is not clearly faster is not made, so that two runs on one machine choose alike
DEFAULT = "none"


@dataclass(frozen=True)
class Products:
    """Settings of `torch.backends.mkldnn.matmul.fp32_precision`, and whether bfloat16 products are worth having.

    `float32` holds for any float32 product; `narrow` for float32 products of numbers that fit bfloat16, whose products
    are exact in a unit that multiplies bfloat16 and adds in float32. `gflops` is the measured rate of each per thread.
    """

    float32: str
    narrow: str
    bfloat16: bool
    gflops: dict[str, float]

    def record(self) -> dict[str, str | int]:
        """What a result says about it: choices only, which are the same in two runs on one machine."""
        return {"float32_products": self.float32, "narrow_products": self.narrow, "bfloat16_products": self.bfloat16}

    def arrays(self) -> dict[str, np.ndarray]:
        """What another process on the same kind of machine takes over."""
        return {"chosen": np.array(json.dumps(asdict(self)))}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Products:
        """It again."""
        return cls(**json.loads(str(arrays["chosen"])))


NEUTRAL = Products(DEFAULT, DEFAULT, True, {})


@contextmanager
def using(precision: str) -> Iterator[None]:
    """Set the process-wide flag for float32 products on the CPU, and put it back."""
    flags = getattr(torch.backends.mkldnn, "matmul", None)
    if flags is None or precision == DEFAULT:
        yield
        return
    before = flags.fp32_precision
    flags.fp32_precision = precision
    try:
        yield
    finally:
        flags.fp32_precision = before


def probe(device: torch.device) -> Products:
    """The choices for this device, measured once in a process; on a GPU nothing is chosen."""
    global _settled
    if device.type != "cpu":
        return NEUTRAL
    if _settled is None:
        _settled = measure()
    return _settled


def settle(chosen: Products) -> None:
    """Take these choices for this process, as they were made before on this kind of machine.

    A processor on which two units are almost `MARGIN` apart might choose otherwise the next time, and the last bits of
    a run that goes on would not be those of its beginning.
    """
    global _settled
    _settled = chosen


_settled: Products | None = None


def measure() -> Products:
    """Time the units of the processor, in one thread, and choose."""
    generator = torch.Generator().manual_seed(0)
    A, B = (torch.randn(SIZE, SIZE, generator=generator) for _ in range(2))
    narrow = tuple(M.bfloat16().float() for M in (A, B))
    settings = ["tf32", "bf16"] if hasattr(torch.backends.mkldnn, "matmul") else []
    with one_thread():
        rates = _rates(A, B, [DEFAULT, *settings])
        rates["bfloat16"] = _rates(A.bfloat16(), B.bfloat16(), [DEFAULT])[DEFAULT]
    chosen = {"float32": DEFAULT, "narrow": DEFAULT}
    for setting in settings:
        with using(setting):
            for use, (left, right) in {"float32": (A, B), "narrow": narrow}.items():
                if rates[setting] > MARGIN * rates[chosen[use]] and _error(left, right) < ACCURATE:
                    chosen[use] = setting
    pays = rates["bfloat16"] > MARGIN * rates[chosen["float32"]]
    return Products(chosen["float32"], chosen["narrow"], pays, {name: round(rate, 1) for name, rate in rates.items()})


def _rates(A: Tensor, B: Tensor, settings: list[str]) -> dict[str, float]:
    """GFLOP/s per setting, the best of several in turn, by the thread's own processor time.

    What else the machine does takes wall time from a product and hardly any of this, so that a busy one chooses alike.
    """
    best, clock = dict.fromkeys(settings, float("inf")), time.thread_time
    out = torch.mm(A, B)
    for _ in range(REPEATS):
        for setting in settings:
            with using(setting):
                began = clock()
                torch.mm(A, B, out=out)
                best[setting] = min(best[setting], clock() - began)
    return {setting: 2 * SIZE**3 / seconds / 1e9 for setting, seconds in best.items()}


def _error(A: Tensor, B: Tensor) -> float:
    exact = A.double() @ B.double()
    return float((torch.mm(A, B) - exact).abs().max() / exact.abs().max())
