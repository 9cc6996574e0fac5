"""How the CPU multiplies float32 matrices: its units are timed once, and the fastest of the accurate ones is chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from mbs.engine.switches import one_thread

SIZE = 1024  # a product of this side takes some 20 ms of one thread and is large enough to run at full rate
ACCURATE = 3e-6  # relative to the largest entry: rounding of float32 sums over SIZE terms stays well below
REPEATS = 5
MARGIN = 1.4  # a unit must be clearly faster to be chosen, so that two runs on one machine choose alike
DEFAULT = "none"


@dataclass(frozen=True)
class Numerics:
    """Settings of `torch.backends.mkldnn.matmul.fp32_precision`, and whether bfloat16 products are faster.

    `float32` holds for any float32 product. `narrow` holds for float32 products of numbers that fit bfloat16; their
    products are exact in a unit that multiplies bfloat16 and adds in float32. `gflops` is the measured rate of each
    unit per thread. The default leaves torch's own setting, as on a GPU.
    """

    float32: str = DEFAULT
    narrow: str = DEFAULT
    bfloat16: bool = True
    gflops: Mapping[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, str | int]:
        """The choices without the measured rates: they are the same in two runs on one machine."""
        return {"float32_products": self.float32, "narrow_products": self.narrow, "bfloat16_products": self.bfloat16}

    def arrays(self) -> dict[str, np.ndarray]:
        """The choices as arrays, for another process on the same kind of machine."""
        return {"chosen": np.array(json.dumps(asdict(self)))}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Numerics:
        """Inverse of `arrays()`."""
        return cls(**json.loads(str(arrays["chosen"])))


PLAIN = Numerics()


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


def measured() -> Numerics:
    """Time the units of the CPU in one thread, for half a second, and choose."""
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
    return Numerics(chosen["float32"], chosen["narrow"], pays, {name: round(rate, 1) for name, rate in rates.items()})


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
