"""Every pruner as one would write it first: float64, whole forward passes of the unmodified model, plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from mbs.compression.sparsity import NOfM, Sparsity, Unstructured

CLOSE = 1e-6  # scores that differ by less, relatively, may be ranked either way in float32

BLOCK_LISTS = {"bloom": "transformer.h", "gpt2": "transformer.h", "opt": "model.decoder.layers"}

# From W, the Gram matrix of its input, and the mask to follow where scores are close, to the new W and its own mask.
Rule = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def double(model: PreTrainedModel) -> PreTrainedModel:
    """The model in float64, where transformers can run it so (XGLM it cannot)."""
    return model if model.config.model_type == "xglm" else nn.Module.double(model)


def prune(
    model: PreTrainedModel,
    architecture: str,
    tokens: Tensor,
    rule: Rule,
    masks: dict[str, Tensor],
    stored: torch.dtype = torch.float64,
) -> dict[str, Tensor]:
    """Prune `model` block by block; the masks by name of layer. New weights are rounded to `stored`."""
    found: dict[str, Tensor] = {}
    block_list = BLOCK_LISTS.get(architecture, "model.layers")
    for k, block in enumerate(cast(Sequence[nn.Module], model.get_submodule(block_list))):
        grams: dict[str, Tensor] = {}
        handles = []
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear | Conv1D):

                def add(module: nn.Module, args: tuple[Tensor, ...], name: str = name, grams: Any = grams) -> None:
                    X = args[0].flatten(0, -2).double()
                    grams[name] = grams.get(name, 0) + X.t() @ X

                handles.append(module.register_forward_pre_hook(add))
        with torch.no_grad():
            for row in tokens:
                model(row[None], use_cache=False)
        for handle in handles:
            handle.remove()
        for name, G in grams.items():
            weight = cast(Tensor, block.get_submodule(name).weight).data
            W = weight.t() if isinstance(block.get_submodule(name), Conv1D) else weight
            full = f"{block_list}.{k}.{name}"
            new, found[full] = rule(W.double(), G, masks[full])
            W.copy_(new.to(stored))
    return found


def smallest(score: Tensor, count: int, like: Tensor) -> Tensor:
    """True (kept) but for the `count` smallest of a vector; scores close to the threshold are kept where `like` is."""
    keep = torch.ones(score.numel(), dtype=torch.bool)
    ordered, order = score.sort(stable=True)
    keep[order[:count]] = False
    if 0 < count < len(ordered) and ordered[count] - ordered[count - 1] <= CLOSE * ordered[count]:
        close = (score - ordered[count]).abs() <= CLOSE * ordered[count]
        keep[close] = like[close]
        assert int((~keep).sum()) == count
    return keep


def wanda(sparsity: Sparsity, variant: bool = False) -> Rule:
    def rule(W: Tensor, G: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        score = W.abs() * G.diagonal().sqrt()
        if variant:
            ordered, order = score.sort(dim=1)
            part = ordered.cumsum(1) / ordered.sum(1, keepdim=True)
            count = int(W.numel() * Decimal(str(cast(Unstructured, sparsity).ratio)))
            kept = smallest(part.flatten(), count, like.gather(1, order).flatten()).view_as(W)
            mask = torch.empty_like(kept).scatter_(1, order, kept)
        else:
            mask = torch.stack([_row(s, sparsity, own) for s, own in zip(score, like, strict=True)])
        return W * mask, mask

    return rule


def magnitude(sparsity: Sparsity, per: str = "matrix") -> Rule:
    def rule(W: Tensor, G: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        if per == "row" or isinstance(sparsity, NOfM):
            mask = torch.stack([_row(w.abs(), sparsity, own) for w, own in zip(W, like, strict=True)])
        else:
            mask = _row(W.abs().flatten(), sparsity, like.flatten()).view_as(W)
        return W * mask, mask

    return rule


def _row(score: Tensor, sparsity: Sparsity, like: Tensor) -> Tensor:
    if isinstance(sparsity, NOfM):
        groups = zip(score.split(sparsity.m), like.split(sparsity.m), strict=True)
        return torch.cat([smallest(group, sparsity.m - sparsity.n, own) for group, own in groups])
    assert isinstance(sparsity, Unstructured)
    return smallest(score, int(score.numel() * Decimal(str(sparsity.ratio))), like)


def sparsegpt(sparsity: Sparsity, block: int, damping: float = 0.01) -> Rule:
    """The paper's algorithm 1 (Frantar and Alistarh, 2023), column by column, with the inverse written out."""

    def rule(W: Tensor, G: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        R, C = W.shape
        dead = G.diagonal() == 0
        H = G + torch.diag(dead.double())
        W = W.clone()
        W[:, dead] = 0
        H = H + damping * H.diagonal().mean() * torch.eye(C, dtype=torch.float64)
        U = torch.linalg.cholesky(torch.linalg.inv(H), upper=True)
        mask = torch.ones(R, C, dtype=torch.bool)
        for b in range(0, C, block):
            e = min(b + block, C)
            if isinstance(sparsity, Unstructured):
                ratio = Decimal(str(sparsity.ratio))
                count = int(R * e * ratio) - int(R * b * ratio)
                score = (W[:, b:e] / U.diagonal()[b:e]).square().flatten()
                mask[:, b:e] = smallest(score, count, like[:, b:e].flatten()).view(R, e - b)
            for j in range(b, e):
                if isinstance(sparsity, NOfM) and j % sparsity.m == 0:
                    group = slice(j, j + sparsity.m)
                    score = (W[:, group] / U.diagonal()[group]).square()
                    mask[:, group] = torch.stack([_row(s, sparsity, own) for s, own in zip(score, like[:, group],
                                                                                          strict=True)])  # fmt: skip
                error = W[:, j] * ~mask[:, j] / U[j, j]
                W[:, j:] -= error[:, None] * U[j, j:]
                W[~mask[:, j], j] = 0
        return W, mask

    return rule
