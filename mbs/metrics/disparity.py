"""How unequally compression treats languages: one number from one value per language.

Mean, worst, CVaR, gap and standard deviation take harms of either sign. Gini and Jain are for quantities of one sign
with a mean above zero; harm is neither, so they are meant for retention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray


def mean(values: Sequence[float]) -> float:
    """The unweighted mean; of harms, the logarithm of the geometric mean of the perplexity ratios."""
    return float(_some(values).mean())


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """`sum(w x) / sum(w)`, with shares of the training text as weights of zero or more in the order of the values."""
    x, w = _some(values), np.asarray(weights, dtype=float)
    if w.shape != x.shape or not (w >= 0).all() or not w.sum() > 0:
        raise MbsError(f"weights {w.tolist()} for {len(x)} values", "one weight of zero or more each, not all zero")
    return float(w @ x / w.sum())


def worst(values: Mapping[str, float]) -> tuple[str, float]:
    """The language with the largest value, and that value; of equal ones the last in the alphabet.

    As an estimate it is too high: the largest of noisy values is partly the noisiest. With an interval: `worst_harm`.
    """
    _some(list(values.values()))
    language = max(values, key=lambda code: (values[code], code))
    return language, values[language]


def tail_size(languages: int) -> int:
    """How many languages are the worst quarter: `ceil(n / 4)`."""
    return -(-languages // 4)


def cvar(values: Sequence[float]) -> float:
    """The mean of the worst quarter, the `ceil(n / 4)` largest values.

    Conditional value at risk (Rockafellar and Uryasev, 2000) in whole languages: none is counted in part.
    """
    x = np.sort(_some(values))
    return float(x[-tail_size(len(x)) :].mean())


def gap(values: Sequence[float]) -> float:
    """The largest value less the smallest."""
    return float(np.ptp(_some(values)))


def standard_deviation(values: Sequence[float]) -> float:
    """`sqrt(sum (x - mean)^2 / n)`: the evaluated languages are all there are, hence n and not n - 1."""
    return float(_some(values).std())


def gini(values: Sequence[float]) -> float:
    """`sum_ij |x_i - x_j| / (2 n^2 mean)` in [0, 1 - 1/n], 0 for equal values (Gini, 1912).

    Computed from the sorted values as `sum_i (2 i - n - 1) x_(i) / (n^2 mean)`.
    """
    x = np.sort(_positive(values, "Gini"))
    n = len(x)
    return float(((2 * np.arange(1, n + 1) - n - 1) @ x) / (n * x.sum()))


def jain(values: Sequence[float]) -> float:
    """`(sum x)^2 / (n sum x^2)` in [1/n, 1], 1 for equal values (Jain, Chiu and Hawe, 1984)."""
    x = _positive(values, "Jain")
    x = x / x.max()
    return float(x.sum() ** 2 / (len(x) * (x @ x)))


def _some(values: Sequence[float]) -> Array:
    x = np.asarray(values, dtype=float)
    if not x.size:
        raise MbsError("no language", "one value or more", "evaluating a language that the model has learnt")
    if not np.isfinite(x).all():
        raise MbsError(f"values {x.tolist()}", "numbers")
    return x


def _positive(values: Sequence[float], index: str) -> Array:
    x = _some(values)
    if x.min() < 0 or not x.max() > 0:
        raise MbsError(
            f"{index} of values from {x.min():.4g} to {x.max():.4g}",
            "values of zero or more with a mean above zero",
            "retention instead of harm",
        )
    return x
