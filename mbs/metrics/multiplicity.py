"""p values of many comparisons at once, adjusted: every language is one more chance of a false alarm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values: below alpha all together, any false one has probability alpha or less (Holm, 1979).

    In ascending order `max_{j <= i} min(1, (n - j + 1) p_(j))`; returned in the order given.
    """
    values, order = _probabilities(p)
    scaled = np.minimum(1.0, values[order] * np.arange(len(values), 0, -1))
    return _back(np.maximum.accumulate(scaled), order)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p values: below q, the expected part of false ones is q or less (Benjamini and Hochberg, 1995).

    In ascending order `min_{j >= i} min(1, n p_(j) / j)`; returned in the order given.
    """
    values, order = _probabilities(p)
    scaled = np.minimum(1.0, values[order] * len(values) / np.arange(1, len(values) + 1))
    return _back(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _probabilities(p: Sequence[float]) -> tuple[Array, Array]:
    values = np.asarray(p, dtype=float)
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise MbsError(f"p values {values.tolist()}", "one or more numbers from 0 to 1")
    return values, np.argsort(values, kind="stable")


def _back(adjusted: Array, order: Array) -> list[float]:
    made = np.empty(len(order))
    made[order] = adjusted
    return made.tolist()
