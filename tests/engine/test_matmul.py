"""Which matrix products are used: accurate, chosen on a busy machine as on an idle one, and flags put back."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from mbs.engine.matmul import measured, using
from mbs.engine.switches import kept_pages, no_denormals, one_thread


def test_process_wide_flags_are_put_back() -> None:
    tiny, flags = torch.full((1,), 1e-39), cast(Any, torch.backends.mkldnn).matmul
    before, threads = flags.fp32_precision, torch.get_num_threads()

    def stop() -> None:
        with using("bf16"), no_denormals(), one_thread(), kept_pages():
            assert flags.fp32_precision == "bf16"
            assert float(tiny * 1) == 0
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert flags.fp32_precision == before
    assert float(tiny * 1) > 0
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_measuring_chooses_accurate_products() -> None:
    chosen = measured()
    A, B = (torch.randn(300, 300, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    with using(chosen.float32):
        assert torch.allclose(A @ B, (A.double() @ B.double()).float(), atol=1e-4)
    A, B = A.bfloat16().float(), B.bfloat16().float()
    with using(chosen.narrow):
        assert torch.allclose(A @ B, (A.double() @ B.double()).float(), atol=1e-4)
    assert all(rate > 0 for rate in chosen.gflops.values())


@pytest.mark.guard("mbs/engine/matmul.py", "time.thread_time", "time.perf_counter")
def test_a_busy_machine_chooses_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    flags, original = cast(Any, torch.backends.mkldnn).matmul, torch.mm

    def interrupted(A: Tensor, B: Tensor, *, out: Tensor | None = None) -> Tensor:
        if out is None:
            return original(A, B)
        began = time.thread_time()
        while time.thread_time() - began < 0.002:
            pass
        if flags.fp32_precision == "none":  # other work takes the processor away
            time.sleep(0.02)
        return out

    monkeypatch.setattr(torch, "mm", interrupted)
    chosen = measured()
    assert (chosen.float32, chosen.narrow, chosen.bfloat16) == ("none", "none", False)
