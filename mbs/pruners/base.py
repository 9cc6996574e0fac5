"""What a pruner is: one pure function from a weight matrix and its input's moments to the new matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from mbs.moments import Moments
from mbs.sparsity import Sparsity


@dataclass(frozen=True)
class Solution:
    """The new weight `[R, C]` in the old one's dtype, and the mask (True where a weight stays)."""

    W: Tensor
    mask: Tensor


class Pruner(Protocol):
    """A pruning method; a new one is one file and one yaml."""

    @property
    def name(self) -> str:
        """A short name for tables and directories."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Which moments it needs, such as `sq`; empty when it looks at the weights alone."""
        ...

    def solve(self, W: Tensor, moments: Moments | None, sparsity: Sparsity) -> Solution:
        """The pruned matrix; `moments` is None for a pruner that needs none."""
        ...


def masked(W: Tensor, mask: Tensor) -> Solution:
    """W with +0.0 where the mask is False; what stays is untouched, to the bit."""
    return Solution(W.masked_fill(~mask, 0.0), mask)
