"""The fast paths of attention against the slow ones."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import CONFIGS, VOCABULARY, random_model

from mbs.engine.fused import _Alibi, fused
from mbs.engine.matmul import PLAIN


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_folded_bias_keeps_its_digits(dtype: torch.dtype) -> None:
    """What query and key features make of it: heads of 128, a steep slope, a length at which float16 ends."""
    B, T, heads, D = 1, 8000, 2, 128
    slopes = torch.tensor([0.84, 0.01])[:, None, None]
    alibi = (slopes * torch.arange(T)).to(dtype)
    qkv = _Alibi()._with_bias(torch.zeros(B, T, heads, 3, D, dtype=dtype), alibi).double()
    folded = (qkv[0, 0, ..., D:] * qkv[1, 0, ..., D:]).sum(-1) / math.sqrt(D)
    assert torch.allclose(folded, alibi[:, 0].double(), rtol=2.0**-15, atol=1e-6)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_fast_paths_give_the_same_logits(architecture: str) -> None:
    model = random_model(architecture)
    ids = torch.randint(4, VOCABULARY, (3, 70), generator=torch.Generator().manual_seed(1))
    padding = torch.ones_like(ids)
    padding[0, :20] = 0
    for arguments in ({}, {"attention_mask": padding}):
        with torch.no_grad():
            slow = model(ids, use_cache=False, **arguments).logits
            with fused(model, PLAIN), fused(model, PLAIN):
                quick = model(ids, use_cache=False, **arguments).logits
            again = model(ids, use_cache=False, **arguments).logits
        seen = padding.bool() if arguments else torch.ones_like(ids).bool()
        assert torch.allclose(slow[seen], quick[seen], atol=2e-6 * float(slow.abs().max()), rtol=0)
        assert torch.equal(slow, again)
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fused_attention_in_half_precision_is_no_worse(dtype: torch.dtype) -> None:
    model = random_model("bloom")
    ids = torch.randint(4, VOCABULARY, (2, 90), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.to(dtype)  # type: ignore[arg-type]
        slow = model(ids, use_cache=False).logits.float()
        with fused(model, PLAIN):
            quick = model(ids, use_cache=False).logits.float()
        exact = model.double()(ids, use_cache=False).logits.float()
    assert (quick - exact).abs().mean() < 1.1 * (slow - exact).abs().mean()
