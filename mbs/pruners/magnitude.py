"""Magnitude pruning: the smallest weights of each matrix go."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mbs.moments import Moments
from mbs.pruners.base import Solution, masked
from mbs.pruners.masks import keep_mask
from mbs.sparsity import Sparsity


@dataclass(frozen=True)
class Magnitude:
    """Score `|W_ij|`, compared over the whole matrix; needs no calibration."""

    name: str = "magnitude"
    needs: frozenset[str] = frozenset()

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """W `[R, C]` with its smallest weights set to zero."""
        return masked(W, keep_mask(W.abs(), sparsity, per_row=False))
