"""Which weights go: the smallest scores, in exact numbers, ties broken by position."""

from __future__ import annotations

import torch
from torch import Tensor

from mbs.sparsity import Dense, NOfM, Sparsity, Unstructured


def keep_mask(score: Tensor, sparsity: Sparsity, per_row: bool) -> Tensor:
    """True where a weight stays, for scores `[R, C]`; of equal scores the first in the row (or matrix) goes first.

    Unstructured counts hold per row, or for the whole matrix with `per_row=False`; n of m holds within each row.
    """
    match sparsity:
        case Dense():
            return torch.ones_like(score, dtype=torch.bool)
        case NOfM(n, m):
            groups = score.reshape(-1, m)
            return drop_smallest(groups, m - n).reshape(score.shape)
        case Unstructured():
            rows = score if per_row else score.reshape(1, -1)
            return drop_smallest(rows, sparsity.count(rows.shape[1])).reshape(score.shape)
    raise TypeError(f"no rule for the sparsity {sparsity!r}")


def drop_smallest(score: Tensor, count: int) -> Tensor:
    """False at the `count` smallest of each row, exactly, as a stable sort would choose them."""
    if count == 0:
        return torch.ones_like(score, dtype=torch.bool)
    threshold = score.kthvalue(count, dim=1, keepdim=True).values
    below = score < threshold
    tied = score == threshold
    room = count - below.sum(dim=1, keepdim=True)
    if torch.equal(tied.sum(dim=1, keepdim=True), room):
        return ~(below | tied)
    return ~(below | (tied & (tied.cumsum(dim=1) <= room)))
