"""No pruning: the dense model, for comparison."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbs.moments import Moments
from mbs.pruners.base import Solution
from mbs.sparsity import Sparsity


@dataclass(frozen=True)
class Keep:
    """Leaves every weight as it is, whatever the sparsity asks for."""

    name: str = "none"
    needs: frozenset[str] = frozenset()

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """The same W."""
        return Solution(W, torch.ones_like(W, dtype=torch.bool))
