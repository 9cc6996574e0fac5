"""SparseGPT: prune column by column, and later columns make up for it (Frantar and Alistarh, ICML 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mbs.compression.method import Solution
from mbs.compression.moments import Moments
from mbs.compression.pruners.masks import keep_mask
from mbs.compression.pruners.sparsegpt_columns import swept
from mbs.compression.pruners.sparsegpt_published import published
from mbs.compression.sparsity import Dense, NOfM, Sparsity
from mbs.errors import MbsError


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
            return Solution(W, keep_mask(W, sparsity, per_row=True))
        if self.exact:
            assert moments.hessian is not None
            return published(W, moments.hessian, sparsity, self.damping, self.block)
        assert moments.gram is not None
        return swept(W, moments.gram, sparsity, self.damping, self.block)
