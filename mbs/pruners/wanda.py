"""Wanda: prune by weight and activations (Sun et al., ICLR 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mbs.moments import Moments
from mbs.pruners.base import Solution, masked
from mbs.pruners.masks import keep_mask
from mbs.sparsity import Sparsity


@dataclass(frozen=True)
class Wanda:
    """Score `|W_ij| * ||X_j||_2` (Sun et al., 2024, equation 1), compared within each output row; no weight update."""

    name: str = "wanda"
    needs: frozenset[str] = frozenset({"sq"})

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """W `[R, C]` with the lowest scores of each row set to zero; scores are float32."""
        assert moments is not None
        score = W.float().abs() * moments.norms.float()
        return masked(W, keep_mask(score, sparsity, per_row=True))
