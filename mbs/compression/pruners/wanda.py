"""Wanda: prune by weight and activations (Sun et al., ICLR 2024)."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from torch import Tensor

from mbs.compression.method import Solution, masked
from mbs.compression.moments import Moments
from mbs.compression.pruners.masks import drop_smallest, keep_mask
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured
from mbs.errors import MbsError


@dataclass(frozen=True)
class Wanda:
    """Score `|W_ij| * ||X_j||_2` (Sun et al., 2024, equation 1), compared within each output row; no weight update.

    The `variant` of the published code lets rows differ: each loses its smallest scores up to the same part of the
    row's sum. It is for unstructured sparsity only.
    """

    variant: bool = False
    name: str = "wanda"
    needs: frozenset[str] = frozenset({"sq"})

    def __post_init__(self) -> None:
        if not isinstance(self.variant, bool):
            raise MbsError(f"pruner.variant={self.variant}", "true or false", "pruner.variant=true")

    def check(self, sparsity: Sparsity) -> None:
        """Raise MbsError for the variant with n of m, where rows cannot differ."""
        if self.variant and isinstance(sparsity, NOfM):
            raise MbsError(
                f"pruner.variant=true with sparsity={sparsity.name}",
                "sparsity=unstructured, as rows of a pattern cannot differ",
                "pruner.variant=false",
            )

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """W `[R, C]` with the lowest scores set to zero; scores are float32."""
        assert moments is not None
        score = W.float().abs().mul_(moments.norms.float())
        if self.variant and isinstance(sparsity, Unstructured):
            return masked(W, _same_part_of_each_row(score, sparsity.count(score.numel())))
        return masked(W, keep_mask(score, sparsity, per_row=True))


def _same_part_of_each_row(score: Tensor, count: int) -> Tensor:
    """False at `count` scores: in every row the smallest, as long as their sum is at most the same part of the row's.

    The published code bisects that part until the count is within 0.1 %, and not beyond 0.8; the count-th smallest of
    all cumulative parts is where the bisection leads, exactly.
    """
    ordered, order = score.sort(dim=1, stable=True)
    part = ordered.double().cumsum(dim=1)
    part /= part[:, -1:].clamp(min=sys.float_info.min)
    keep = drop_smallest(part.float().reshape(1, -1), count).reshape(score.shape)
    return keep.new_empty(keep.shape).scatter_(1, order, keep)
