"""Magnitude pruning: the smallest weights go."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mbs.compression.method import Solution, masked
from mbs.compression.moments import Moments
from mbs.compression.pruners.masks import keep_mask
from mbs.compression.sparsity import Sparsity
from mbs.errors import unknown

SCOPES = ("matrix", "row")


@dataclass(frozen=True)
class Magnitude:
    """Score `|W_ij|`, compared over the whole matrix or within each output row (`per`); needs no calibration."""

    per: str = "matrix"
    name: str = "magnitude"
    needs: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.per not in SCOPES:
            raise unknown("pruner.per", str(self.per), SCOPES)

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """W `[R, C]` with its smallest weights set to zero."""
        return masked(W, keep_mask(W.abs(), sparsity, per_row=self.per == "row"))
