"""Tests of significance by hand and by scipy, and p-values adjusted for their number."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from harms import deltas
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mbs.errors import MbsError
from mbs.metrics import benjamini_hochberg, harm_estimate, holm, interval, mcnemar, paired_bootstrap, sign_flip

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected)
    assert mcnemar(b, c) == mcnemar(c, b)


def test_mcnemar_by_hand() -> None:
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar(900, 1000) == pytest.approx(stats.binomtest(900, 1900).pvalue)
    with pytest.raises(MbsError):
        mcnemar(-1, 3)


def test_sign_flips_by_hand_and_both_ways() -> None:
    assert sign_flip(np.array([1.0, 2.0, 3.0]), 0) == 2 / 8
    assert sign_flip(np.array([1.0, -1.0]), 0) == 1
    random = np.random.default_rng(0)
    some = random.standard_normal(16) + 0.4
    sums = [abs(np.dot(signs, some)) for signs in itertools.product((-1, 1), repeat=16)]
    assert sign_flip(some, 0) == np.mean([total >= abs(some.sum()) - 1e-9 for total in sums])
    many = random.standard_normal(40) + 0.3
    assert sign_flip(many, 1) == sign_flip(many, 1)
    assert sign_flip(many, 1, 50_000) == pytest.approx(float(stats.ttest_1samp(many, 0).pvalue), rel=0.2, abs=0.01)
    with pytest.raises(MbsError):
        sign_flip(np.array([]), 0)


def test_paired_bootstrap_agrees_with_the_first_order_error() -> None:
    some = deltas(8, 1, 200)
    nothing = np.zeros(200)
    made = paired_bootstrap(some.delta[0], nothing, some.tokens, seed=0)
    plain = interval(harm_estimate(some))
    assert made.value == pytest.approx(plain.value)
    assert (made.low, made.high) == pytest.approx((plain.low, plain.high), rel=0.03)
    assert made.p == pytest.approx(2 / 10_001)
    assert made == paired_bootstrap(some.delta[0], nothing, some.tokens, seed=0)
    assert paired_bootstrap(nothing, nothing, some.tokens, seed=0, resamples=1000).p == 1
    for refused in (lambda: paired_bootstrap(nothing, nothing, some.tokens, 0, 999),
                    lambda: paired_bootstrap(nothing[:1], nothing[:1], some.tokens[:1], 0)):  # fmt: skip
        with pytest.raises(MbsError):
            refused()


def test_holm_and_benjamini_hochberg_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    for refused in ([], [1.2], [math.nan]):
        with pytest.raises(MbsError):
            holm(refused)


@given(probabilities)
def test_adjusted_p_values_keep_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    order = np.argsort(p, kind="stable")
    for values in (adjusted, benjamini_hochberg(p)):
        assert (np.diff(np.array(values)[order]) >= 0).all()
        assert all(before <= after + 1e-12 and after <= 1 for before, after in zip(p, values, strict=True))
    assert all(b <= h + 1e-12 for b, h in zip(benjamini_hochberg(p), adjusted, strict=True))
    assert adjusted[int(order[0])] == pytest.approx(min(1, len(p) * min(p)))
