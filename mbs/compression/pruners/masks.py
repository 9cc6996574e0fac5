"""Which weights go: the smallest scores, in exact numbers, ties broken by position."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mbs.compression.sparsity import Dense, NOfM, Sparsity, Unstructured

COMPARED_PAIRWISE = 8  # in groups of up to so many, counting who is smaller beats every sort


def keep_mask(score: Tensor, sparsity: Sparsity, per_row: bool) -> Tensor:
    """True where a weight stays, for scores `[R, C]`; of equal scores the first in the row (or matrix) goes first.

    Unstructured counts hold per row, or for the whole matrix with `per_row=False`; n of m holds within each row.
    """
    match sparsity:
        case Dense():
            return torch.ones_like(score, dtype=torch.bool)
        case NOfM(n, m):
            groups = score.reshape(-1, m).t()
            return drop_of_each(groups, m - n).t().reshape(score.shape)
        case Unstructured():
            rows = score if per_row else score.reshape(1, -1)
            return drop_smallest(rows, sparsity.count(rows.shape[1])).reshape(score.shape)
    raise TypeError(f"no rule for the sparsity {sparsity!r}")


def drop_smallest(score: Tensor, count: int) -> Tensor:
    """False at the `count` smallest of each row `[rows, n]`, exactly, as a stable sort would choose them."""
    if count == 0:
        return torch.ones_like(score, dtype=torch.bool)
    threshold = select(score, count)
    keep = score > threshold
    if count_true(keep) < keep.numel() - len(keep) * count:
        room = score.shape[1] - count - keep.sum(dim=1, keepdim=True)
        tied = score == threshold
        keep |= tied & (tied.flip(1).cumsum(dim=1).flip(1) <= room)
    return keep


def count_true(mask: Tensor) -> int:
    """How many are true; on a CPU several times faster than torch's own sum."""
    return int(np.count_nonzero(mask.numpy())) if mask.device.type == "cpu" else int(mask.sum())


def select(score: Tensor, count: int) -> Tensor:
    """The `count`-th smallest of each row `[rows, n]`, as `[rows, 1]`, without a sort."""
    if score.device.type != "cpu":
        return select_by_topk(score, count)
    values = (score if score.dtype == torch.float64 else score.float()).contiguous().numpy()
    return torch.from_numpy(np.partition(values, count - 1, axis=1)[:, count - 1 : count].copy()).to(score.dtype)


def select_by_topk(score: Tensor, count: int) -> Tensor:
    """The same as `select`, on a GPU."""
    return score.topk(count, dim=1, largest=False, sorted=False).values.amax(dim=1, keepdim=True)


def drop_of_each(groups: Tensor, count: int) -> Tensor:
    """False at the `count` smallest of each column of `[m, groups]`, the first of equal ones first."""
    m = len(groups)
    if m > COMPARED_PAIRWISE:
        rank = groups.argsort(dim=0, stable=True).argsort(dim=0)
        return rank >= count
    rank = torch.zeros_like(groups, dtype=torch.int8)
    for i in range(m):
        for j in range(i + 1, m):
            first = groups[i] <= groups[j]
            rank[j] += first
            rank[i] += ~first
    return rank >= count
