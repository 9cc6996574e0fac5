"""SparseGPT: prune column by column, and later columns make up for it (Frantar and Alistarh, ICML 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mbs.errors import MbsError
from mbs.moments import Moments
from mbs.pruners.base import Solution
from mbs.pruners.masks import drop_of_each, drop_smallest
from mbs.pruners.published import published
from mbs.sparsity import Dense, NOfM, Sparsity, Unstructured

INNER = 16  # columns that are updated one at a time; beyond them updates are products


@dataclass(frozen=True)
class SparseGPT:
    """Masks by `W_ij^2 / U_jj^2`, chosen over all rows of `block` columns, errors passed on to later columns.

    `damping` is relative to the mean of the Gram matrix's diagonal. `exact` follows the published code instead, down to
    the order of operations (and to its threshold, which prunes one weight more per block than asked, and all ties).
    """

    damping: float = 0.01
    block: int = 128
    exact: bool = False
    name: str = "sparsegpt"

    def __post_init__(self) -> None:
        number = isinstance(self.damping, int | float) and not isinstance(self.damping, bool)
        if not number or not 0 < self.damping < float("inf"):
            raise MbsError(f"pruner.damping={self.damping}", "a number above 0", "pruner.damping=0.01")
        if not isinstance(self.block, int) or isinstance(self.block, bool) or self.block < 1:
            raise MbsError(f"pruner.block={self.block}", "a whole number of one or more", "pruner.block=128")
        if not isinstance(self.exact, bool):
            raise MbsError(f"pruner.exact={self.exact}", "true or false", "pruner.exact=true")

    def check(self, sparsity: Sparsity) -> None:
        """Raise MbsError where the published code cannot do it: its blocks hold whole groups."""
        if self.exact and isinstance(sparsity, NOfM) and self.block % sparsity.m:
            whole = max(1, self.block // sparsity.m) * sparsity.m
            raise MbsError(
                f"pruner.exact=true with pruner.block={self.block} and groups of {sparsity.m}",
                f"a multiple of {sparsity.m}, as published",
                f"pruner.block={whole}",
            )

    @property
    def needs(self) -> frozenset[str]:
        """Squared norms for the report, and the Gram matrix."""
        return frozenset({"sq", "hessian" if self.exact else "gram"})

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """W `[R, C]` pruned and updated, float32."""
        assert moments is not None
        if isinstance(sparsity, Dense):
            return Solution(W, torch.ones_like(W, dtype=torch.bool))
        if self.exact:
            assert moments.hessian is not None
            return published(W, moments.hessian, sparsity, self.damping, self.block)
        assert moments.gram is not None
        factor = moments.gram.factor(self.damping)
        Wt = W.t().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        Wt[moments.gram.G.diagonal() == 0] = 0
        keep = sweep_(Wt, factor.V, sparsity, self.block)
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
