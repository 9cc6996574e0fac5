"""Whether two conditions differ on the same documents or items: paired tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray
AT_ONCE = 4_000_000  # random numbers held at a time
EXACT = 16  # up to so many units all 2^n signs are tried


@dataclass(frozen=True)
class Bootstrap:
    """A difference with its percentile interval and two-sided p value."""

    value: float
    low: float
    high: float
    p: float
    resamples: int
    documents: int


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p value from how many items only A and only B has right (McNemar, 1947).

    `min(1, 2 sum_{k <= min(b, c)} C(b + c, k) 2^-(b + c))`; items that both or neither has right tell nothing.
    """
    if min(only_a, only_b) < 0:
        raise MbsError(f"counts {only_a} and {only_b}", "two counts of zero or more")
    n = only_a + only_b
    at_most = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, float(2 * at_most / 2**n))


def paired_bootstrap(
    a: Array, b: Array, tokens: Array, seed: int, resamples: int = 10_000, level: float = 0.95
) -> Bootstrap:
    """The ratio `sum(a - b) / sum(tokens)`, documents `[D]` resampled with replacement for both at once (Efron, 1979).

    `p = min(1, 2 min(#(D* <= 0) + 1, #(D* >= 0) + 1) / (resamples + 1))` for resampled ratios D*. One model against
    another: the calibration seed is held fixed. Refused below 1,000 resamples; Holm over 20 languages needs 10,000.
    """
    if not a.shape == b.shape == tokens.shape or a.ndim != 1 or len(a) < 2 or not (tokens > 0).all():
        raise MbsError(f"documents {a.shape}, {b.shape}, tokens {tokens.shape}", "two documents or more, the same ones")
    if resamples < 1000:
        raise MbsError(f"{resamples} resamples", "1000 or more", "10000")
    random = np.random.default_rng(seed)
    n, drawn = len(a), []
    for start in range(0, resamples, max(1, AT_ONCE // n)):
        size = min(max(1, AT_ONCE // n), resamples - start)
        counts = random.multinomial(n, np.full(n, 1 / n), size=size)
        drawn.append((counts @ (a - b)) / (counts @ tokens))
    ratios = np.concatenate(drawn)
    low, high = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    fewer = min(int((ratios <= 0).sum()), int((ratios >= 0).sum()))
    p = min(1.0, 2 * (fewer + 1) / (resamples + 1))
    return Bootstrap(float((a - b).sum() / tokens.sum()), float(low), float(high), p, resamples, n)


def sign_flip(differences: Array, seed: int, draws: int = 10_000) -> float:
    """Two-sided p value of the sum of paired differences `[n]` if every sign could as well be the other (Fisher, 1935).

    Exact for up to 16 units: the part of all 2^n sign patterns with a sum at least as large. Otherwise
    `(1 + #) / (draws + 1)` over random signs (Phipson and Smyth, 2010).
    """
    if differences.ndim != 1 or not differences.size:
        raise MbsError(f"differences {list(differences.shape)}", "one per unit, one or more")
    n = len(differences)
    least = abs(float(differences.sum())) - 1e-12 * float(np.abs(differences).sum())
    if n <= EXACT:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return float((np.abs(signs @ differences) >= least).mean())
    random = np.random.default_rng(seed)
    beyond = 0
    for start in range(0, draws, max(1, AT_ONCE // n)):
        size = min(max(1, AT_ONCE // n), draws - start)
        signs = 2 * random.integers(2, size=(size, n)) - 1
        beyond += int((np.abs(signs @ differences) >= least).sum())
    return (1 + beyond) / (draws + 1)
