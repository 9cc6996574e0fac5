"""No pruning: the dense model, for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbs.compression.method import Solution
from mbs.compression.sparsity import Dense, Sparsity

if TYPE_CHECKING:
    from torch import Tensor

    from mbs.compression.moments import Moments


@dataclass(frozen=True)
class Keep:
    """Leaves every weight as it is, whatever the sparsity asks for."""

    name: str = "none"
    needs: frozenset[str] = frozenset()

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """The same W."""
        from mbs.compression.pruners.masks import keep_mask

        return Solution(W, keep_mask(W, Dense(), per_row=True))
