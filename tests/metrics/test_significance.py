"""Tests of significance by hand and by scipy, and p-values adjusted for their number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mbs.errors import MbsError
from mbs.metrics import holm, mcnemar

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


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    for refused in ([], [1.2], [math.nan]):
        with pytest.raises(MbsError):
            holm(refused)


@given(probabilities)
def test_adjusted_p_values_keep_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert all(before <= after + 1e-12 and after <= 1 for before, after in zip(p, adjusted, strict=True))
    assert all(fdr <= h + 1e-12 for fdr, h in zip(stats.false_discovery_control(p), adjusted, strict=True))
    assert adjusted[int(order[0])] == pytest.approx(min(1, len(p) * min(p)))
