"""Accuracies on benchmarks: their errors, their differences, and what compression keeps above chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray
FEWEST_ITEMS = 1000  # below this no difference in accuracy is called a finding


@dataclass(frozen=True)
class AccuracyDifference:
    """A difference of accuracies on the same items with its standard error; `finding` is False below 1,000 items."""

    value: float
    standard_error: float
    items: int
    finding: bool


@dataclass(frozen=True)
class AccuracyRetention:
    """What is kept of the accuracy above chance; a None comes with a `reason`."""

    value: float | None
    reason: str | None


def accuracy_error(accuracy: float, items: int) -> float:
    """Standard error of an accuracy, `sqrt(a (1 - a) / n)`."""
    if not 0 <= accuracy <= 1 or items < 1:
        raise MbsError(f"an accuracy of {accuracy} on {items} items", "a number from 0 to 1 on one item or more")
    return math.sqrt(accuracy * (1 - accuracy) / items)


def accuracy_difference(a: Array, b: Array) -> AccuracyDifference:
    """`mean(a) - mean(b)` of right answers (0 or 1) `[items]`, with `sd(a - b) / sqrt(n)` from the same items.

    `[languages, items]` for items that are translations of each other: an item is then one unit in all languages, and
    the value the mean over languages.
    """
    if a.shape != b.shape or a.ndim not in (1, 2) or a.shape[-1] < 2:
        raise MbsError(f"items {list(a.shape)} and {list(b.shape)}", "the same two items or more in both")
    per_item = np.atleast_2d(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean(axis=0)
    n = len(per_item)
    return AccuracyDifference(
        float(per_item.mean()), float(per_item.std(ddof=1)) / math.sqrt(n), n, finding=n >= FEWEST_ITEMS
    )


def accuracy_retention(dense: float, compressed: float, chance: float, items: int) -> AccuracyRetention:
    """`(compressed - chance) / (dense - chance)`, undefined where dense is not 2 standard errors above chance.

    The standard error is the larger of that at the dense accuracy, which is none at 1, and that under chance.
    """
    error = max(accuracy_error(dense, items), accuracy_error(chance, items))
    if dense - chance < 2 * error or dense <= chance:
        return AccuracyRetention(None, f"dense accuracy {dense:.3f} is not 2 standard errors above chance {chance:.3f}")
    return AccuracyRetention((compressed - chance) / (dense - chance), None)
