"""Faster ways through a model's own arithmetic, the same function to rounding: put in for a while, then taken out.

BLOOM's attention in transformers writes and reads scores for every pair of tokens, and its GELU takes eight passes over
its input. Both have a fused form in torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.models.bloom.modeling_bloom import BloomAttention, BloomGelu

from mbs.engine.matmul import Numerics, using
from mbs.engine.switches import kept_pages, no_denormals


@contextmanager
def fused(model: nn.Module, numerics: Numerics) -> Iterator[None]:
    """Run the model's attention and GELU in fused form, on the chosen unit of the CPU, and reuse freed memory."""
    replaced: list[nn.Module] = []
    attention = _Alibi()
    try:
        for module in model.modules():
            forward: Callable[..., Any] | None = None
            if isinstance(module, BloomGelu | NewGELUActivation):
                forward = _gelu
            elif isinstance(module, BloomAttention) and not (module.pretraining_tp > 1 and module.slow_but_exact):
                forward = attention.forward(module)
            if forward is not None and "forward" not in vars(module):  # an enclosing context has replaced it already
                module.forward = forward
                replaced.append(module)
        with using(numerics.float32), kept_pages(), no_denormals():
            yield
    finally:
        for module in replaced:
            del module.forward


def _gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


class _Alibi:
    """Causal attention with linear biases by one fused kernel: the bias is one more feature of the keys.

    `q k + b_k` is the product of `[q, 1]` and `[k, b_k]`. Half precision keeps the bias in two features, its value and
    what rounding took from it.
    """

    def __init__(self) -> None:
        self._causal: tuple[Tensor | None, bool] = (None, False)
        self._alibi: Tensor | None = None
        self._qkv = torch.empty(0)

    def forward(self, module: BloomAttention) -> Callable[..., Any]:
        """What stands in for `module.forward`, with the same arguments."""
        slow: Callable[..., Any] = module.forward

        def run(hidden_states: Tensor, residual: Tensor, alibi: Tensor, attention_mask: Tensor | None,
                **other: Any) -> Any:  # fmt: skip
            if other.get("layer_past") is not None or not self._is_causal(attention_mask):
                return slow(hidden_states, residual, alibi, attention_mask, **other)
            B, T, _ = hidden_states.shape
            fused = cast(Tensor, module.query_key_value(hidden_states))
            qkv = self._with_bias(fused.view(B, T, module.num_heads, 3, module.head_dim), alibi)
            scale = module.inv_norm_factor
            mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True, scale=scale)
            mixed = mixed[..., : module.head_dim].transpose(1, 2).reshape(B, T, -1)
            return module.dense(mixed) + residual, None

        return run

    def _with_bias(self, fused: Tensor, alibi: Tensor) -> Tensor:
        """Queries, keys and values `[3, B, heads, T, D + 1 or 2]`; the buffer and its biases are used again."""
        B, T, heads, _, D = fused.shape
        extra = 1 if fused.dtype == torch.float32 else 2
        shape = (3, B, heads, T, D + extra)
        if self._alibi is not alibi or self._qkv.shape != shape or self._qkv.dtype != fused.dtype:
            self._alibi = alibi
            self._qkv = torch.zeros(shape, dtype=fused.dtype, device=fused.device)
            power = 2.0 ** math.ceil(math.log2(D) / 2)  # a share for the queries, or float16 overflows on long text
            self._qkv[0, ..., D:] = power
            bias = alibi.view(B, heads, T).float() * (math.sqrt(D) / power)
            for column in range(D, D + extra):
                self._qkv[1, ..., column] = bias
                bias = bias - self._qkv[1, ..., column].float()
        self._qkv[..., :D] = fused.permute(3, 0, 2, 1, 4)
        return self._qkv

    def _is_causal(self, mask: Tensor | None) -> bool:
        """Whether a mask `[.., T, T]` hides exactly the later tokens; looked at once per mask."""
        if mask is None:
            return False
        if self._causal[0] is not mask:
            T = mask.shape[-1]
            visible = mask if mask.dtype == torch.bool else mask == 0
            lower = torch.ones(mask.shape[-2], T, dtype=torch.bool, device=mask.device).tril()
            hidden = ~visible if mask.dtype == torch.bool else mask <= torch.finfo(mask.dtype).min
            self._causal = (mask, bool(((visible == lower) & (hidden == ~lower)).all()))
        return self._causal[1]
