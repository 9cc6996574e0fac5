"""No pruning: the dense model, for comparison."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mbs.compression.method import Solution
from mbs.compression.moments import Moments
from mbs.compression.pruners.masks import keep_mask
from mbs.compression.sparsity import Dense, Sparsity


@dataclass(frozen=True)
class Keep:
    """Leaves every weight as it is, whatever the sparsity asks for."""

    name: str = "none"
    needs: frozenset[str] = frozenset()

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """The same W."""
        return Solution(W, keep_mask(W, Dense(), per_row=True))
