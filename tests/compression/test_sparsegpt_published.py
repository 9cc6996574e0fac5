"""Exact SparseGPT is the published one, operation by operation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from conftest import CONFIGS, random_model
from pruning import HALF, compressed, rows
from torch import Tensor, nn

from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.sparsegpt_published import published
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError


def published_order(W: Tensor, X: list[Tensor], sparsity: Sparsity, block: int) -> Tensor:
    """The published operations on one layer, for sequences `[T, C]`: the Gram matrix, then the columns."""
    C = W.shape[1]
    H = torch.zeros(C, C)
    for before, sequence in enumerate(X):
        H *= before / (before + 1)
        x = math.sqrt(2 / (before + 1)) * sequence.t().float()
        H += x.matmul(x.t())
    dead = torch.diag(H) == 0
    H[dead, dead] = 1
    W = W.clone().float()
    W[:, dead] = 0
    damp = 0.01 * torch.mean(torch.diag(H))
    diag = torch.arange(C)
    H[diag, diag] += damp
    Hinv = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    for first in range(0, C, block):
        last = min(first + block, C)
        W1, H1 = W[:, first:last].clone(), Hinv[first:last, first:last]
        Q1, E1 = torch.zeros_like(W1), torch.zeros_like(W1)
        M1 = torch.zeros_like(W1) == 1
        if isinstance(sparsity, Unstructured):
            S = W1**2 / (torch.diag(H1).reshape((1, -1))) ** 2
            M1 = torch.sort(S.flatten())[0][int(S.numel() * float(sparsity.ratio))] >= S
        for i in range(last - first):
            if isinstance(sparsity, NOfM) and i % sparsity.m == 0:
                S = W1[:, i : i + sparsity.m] ** 2 / (torch.diag(H1)[i : i + sparsity.m].reshape((1, -1))) ** 2
                M1.scatter_(1, i + torch.topk(S, sparsity.m - sparsity.n, dim=1, largest=False)[1], True)
            q = W1[:, i].clone()
            q[M1[:, i]] = 0
            Q1[:, i] = q
            e = (W1[:, i] - q) / H1[i, i]
            W1[:, i:] -= e.unsqueeze(1).matmul(H1[i, i:].unsqueeze(0))
            E1[:, i] = e
        W[:, first:last] = Q1
        W[:, last:] -= E1.matmul(Hinv[first:last, last:])
    return W


@pytest.mark.parametrize("sparsity", [HALF, Unstructured(0.7), NOfM(2, 4)])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_exact_sparsegpt_is_the_published_one_to_the_bit(architecture: str, sparsity: Sparsity) -> None:
    ours, theirs = random_model(architecture), random_model(architecture)
    compressed(ours, SparseGPT(exact=True, block=16), sparsity)
    skeleton = Skeleton(theirs)
    blocks = MemoryBlocks(skeleton)
    entered = [skeleton.enter(torch.from_numpy(row)[None]) for row in rows().tokens]
    states = [h for h, _ in entered]
    with torch.no_grad():
        for k in range(len(blocks)):
            block = blocks.load(k)
            inputs: dict[str, list[Tensor]] = {}
            handles = []
            for linear in block.linears:

                def keep(
                    module: nn.Module, args: tuple[Tensor, ...], name: str = linear.name, into: Any = inputs
                ) -> None:
                    into.setdefault(name, []).append(args[0].flatten(0, -2))

                handles.append(linear.module.register_forward_pre_hook(keep))
            for h, (_, arguments) in zip(states, entered, strict=True):
                arguments[k].call(block.module, h)
            for handle in handles:
                handle.remove()
            for linear in block.linears:
                linear.W.copy_(published_order(linear.W, inputs[linear.name], sparsity, 16))
            states = [arguments[k].call(block.module, h) for h, (_, arguments) in zip(states, entered, strict=True)]
    for (name, W), new in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(W, new), name


def test_exact_refuses_what_the_published_code_cannot_do() -> None:
    W = torch.randn(4, 8)
    with pytest.raises(MbsError, match=r"a multiple of 4.*try pruner\.block=4$"):
        SparseGPT(exact=True, block=6).check(NOfM(2, 4))
    with pytest.raises(MbsError, match=r"try pruner\.variant=false"):
        compressed(random_model("bloom"), Wanda(variant=True), NOfM(2, 4))
    with pytest.raises(MbsError, match=r"try pruner\.damping=0\.1, or pruner\.exact=false"):
        published(W, -torch.eye(8), HALF, 0.01, 128)
