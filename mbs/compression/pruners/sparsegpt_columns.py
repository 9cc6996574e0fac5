"""SparseGPT's pass over the columns, as products of large blocks (Frantar and Alistarh, 2023, algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mbs.compression.gram import Gram
from mbs.compression.method import Solution
from mbs.compression.pruners.masks import drop_of_each, drop_smallest
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured

INNER = 16  # columns that are updated one at a time; beyond them updates are products


def swept(W: Tensor, gram: Gram, sparsity: Sparsity, damping: float, block: int) -> Solution:
    """W `[R, C]` pruned and updated, float32; the notes say the damping that sufficed and the condition."""
    factor = gram.factor(damping)
    Wt = W.t().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    Wt[gram.G.diagonal() == 0] = 0
    keep = sweep_(Wt, factor.V, sparsity, block)
    notes = {"damping": factor.damping, "condition": factor.condition}
    return Solution(Wt.t().contiguous(), keep.t().contiguous(), notes)


def sweep_(Wt: Tensor, V: Tensor, sparsity: Sparsity, block: int) -> Tensor:
    """Prune and update `Wt` `[C, R]` (float32, the transpose of W) in place; the mask `[C, R]`.

    `V` is the transpose of the paper's `U`: column i of V holds how the error of input i is passed on. Equal scores go
    in the order of inputs. For n of m, which needs no block, its size is rounded to whole groups. Counts are exact:
    after each block, as many weights are gone as `sparsity` asks for so far.
    """
    C, R = Wt.shape
    d = V.diagonal()[:, None]
    keep = torch.ones(C, R, dtype=torch.bool, device=Wt.device)
    inner = INNER if not isinstance(sparsity, NOfM) else -(-INNER // sparsity.m) * sparsity.m
    outer = max(inner, block - block % inner) if isinstance(sparsity, NOfM) else block
    outer = min(outer, C)
    E = torch.empty(outer, R, device=Wt.device)
    for b, e in _steps(0, C, outer):
        if isinstance(sparsity, Unstructured):
            count = sparsity.count(R * e) - sparsity.count(R * b)
            score = (Wt[b:e] / d[b:e]).square_()
            keep[b:e] = drop_smallest(score.view(1, -1), count).view(e - b, R)
        for s, t in _steps(b, e, inner):
            for i in range(s, t):
                if isinstance(sparsity, NOfM) and i % sparsity.m == 0:
                    group = slice(i, i + sparsity.m)
                    keep[group] = drop_of_each((Wt[group] / d[group]).square_(), sparsity.m - sparsity.n)
                error = torch.div(Wt[i], V[i, i], out=E[i - b])
                error.masked_fill_(keep[i], 0)
                Wt[i].mul_(keep[i])
                Wt[i + 1 : t].addr_(V[i + 1 : t, i], error, alpha=-1)
            Wt[t:e].addmm_(V[t:e, s:t], E[s - b : t - b], alpha=-1)
        Wt[e:].addmm_(V[e:, b:e], E[: e - b], alpha=-1)
    Wt.add_(0.0)  # -0.0 + 0.0 is +0.0
    return keep


def _steps(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(start, end, size):
        yield first, min(first + size, end)
