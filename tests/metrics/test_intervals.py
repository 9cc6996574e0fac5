"""Intervals against means, against quadrature, and where there is nothing to tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from harms import deltas
from scipy import stats

from mbs.metrics import Deltas, Estimate, harm_estimate, interval


def test_with_equal_lengths_the_interval_is_that_of_means() -> None:
    some = Deltas(deltas(1, 5, 12).delta, np.ones(12))
    made = interval(harm_estimate(some))
    seed_means, document_means = some.delta.mean(axis=1), some.delta.mean(axis=0)
    a, b = seed_means.var(ddof=1) / 5, document_means.var(ddof=1) / 12
    of_seeds, of_documents, normal = (stats.t.ppf(0.975, df) ** 2 for df in (4, 11, math.inf))
    squared = (a + b) * normal + (a**2 * (of_seeds - normal) + b**2 * (of_documents - normal)) / (a + b)
    assert made.low is not None
    assert made.value - made.low == pytest.approx(math.sqrt(squared))


@pytest.mark.parametrize(("seeds", "least", "most"), [(3, 94.0, 96.0), (5, 94.5, 95.6), (10, 94.8, 95.4)])
def test_sums_of_two_variances_are_covered_whichever_is_larger(seeds: int, least: float, most: float) -> None:
    """Variances of known size estimated at S - 1 and 60 degrees of freedom: coverage by quadrature, not by chance."""
    grid = (np.arange(24) + 0.5) / 24
    ratios = [stats.chi2.ppf(grid, n) / n for n in (seeds - 1, 60)]

    def members(n: int, variance: float) -> np.ndarray:
        z = np.arange(n) - (n - 1) / 2
        return z * math.sqrt(variance * (n - 1) / n / (z @ z))

    for part in (0.0, 0.1, 0.3, 0.5, 0.8, 1.0):
        covered = []
        for u in ratios[0]:
            for v in ratios[1]:
                sets = {"seeds": members(seeds, part * u)}, {"documents": members(61, (1 - part) * v)}
                made = interval(Estimate(0.0, *sets, seeds, 61))
                assert made.high is not None
                covered.append(2 * stats.norm.cdf(made.high) - 1)
        assert least <= 100 * np.mean(covered) <= most


def test_one_seed_is_documents_alone_and_one_document_has_no_interval() -> None:
    row = Deltas(np.array([[1.0, 2.0, 6.0]]), np.ones(3))
    made = interval(harm_estimate(row))
    assert (made.seeds, made.documents) == (1, 3)
    expected = stats.ttest_1samp(row.delta[0], 0).confidence_interval(0.95)
    assert (made.low, made.high) == pytest.approx((expected.low, expected.high))
    alone = interval(harm_estimate(Deltas(np.array([[1.0], [2.0]]), np.ones(1))))
    assert (alone.value, alone.low, alone.high) == (1.5, None, None)
    same = interval(harm_estimate(Deltas(np.ones((2, 3)), np.ones(3))))
    assert (same.low, same.high) == (1, 1)


def test_an_estimate_knows_nothing_of_what_it_was_not_told() -> None:
    made = interval(Estimate(1.0, {}, {}, 1, 0))
    assert (made.low, made.high) == (1.0, 1.0)
