"""Whether two models differ on the same items, and p values of many such comparisons at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mbs.errors import MbsError


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p value from how many items only A and only B has right (McNemar, 1947).

    `min(1, 2 sum_{k <= min(b, c)} C(b + c, k) 2^-(b + c))`; items that both or neither has right tell nothing.
    """
    if min(only_a, only_b) < 0:
        raise MbsError(f"counts {only_a} and {only_b}", "two counts of zero or more")
    n = only_a + only_b
    at_most = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, float(2 * at_most / 2**n))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values: below alpha all together, any false one has probability alpha or less (Holm, 1979).

    In ascending order `max_{j <= i} min(1, (n - j + 1) p_(j))`; returned in the order given.
    """
    values = np.asarray(p, dtype=float)
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise MbsError(f"p values {values.tolist()}", "one or more numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, values[order] * np.arange(len(values), 0, -1)))
    return adjusted.tolist()
