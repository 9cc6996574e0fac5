"""Disparity between languages: indices by hand, by double loops, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbs.errors import MbsError
from mbs.metrics import cvar, gap, gini, jain, mean, standard_deviation, weighted_mean, worst

INDICES: list[Callable[[list[float]], float]] = [gini, jain]
positive = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)


def test_disparity_by_hand() -> None:
    values = [0.4, 0.1, 0.2, 0.1, 0.3]
    assert mean(values) == pytest.approx(0.22)
    assert weighted_mean(values, [1, 0, 0, 0, 3]) == pytest.approx(1.3 / 4)
    assert worst({"en": 0.1, "sw": 0.4, "yo": 0.4}) == ("yo", 0.4)
    assert cvar(values) == pytest.approx(0.35)  # ceil(5 / 4) = 2 languages
    assert cvar(values[:4]) == pytest.approx(0.4)
    assert gap(values) == pytest.approx(0.3)
    assert standard_deviation([1, 3]) == 1
    assert gini([0, 0, 0, 1]) == pytest.approx(0.75)
    assert jain([0, 0, 0, 1]) == pytest.approx(0.25)


@given(positive)
def test_indices_agree_with_their_double_loops_and_bounds(x: list[float]) -> None:
    n, middle = len(x), sum(x) / len(x)
    assert gini(x) == pytest.approx(sum(abs(a - b) for a in x for b in x) / (2 * n**2 * middle), abs=1e-9)
    assert -1e-9 <= gini(x) <= 1 - 1 / n + 1e-9
    assert 1 / n - 1e-9 <= jain(x) <= 1 + 1e-9
    assert jain(x) == pytest.approx(1 / (1 + (np.std(x) / middle) ** 2))
    for index in INDICES:
        assert index(x[::-1]) == pytest.approx(index(x))
        assert index([2 * value for value in x]) == pytest.approx(index(x), abs=1e-9)
    assert mean(x) <= cvar(x) + 1e-9 <= max(x) + 2e-9


@pytest.mark.parametrize(("index", "equal"), [(gini, 0), (jain, 1)])
def test_indices_of_equal_values_and_of_what_they_refuse(index: Callable[[list[float]], float], equal: int) -> None:
    assert index([0.7, 0.7, 0.7]) == pytest.approx(equal, abs=1e-12)
    for ill in ([], [0.0, 0.0], [-0.1, 0.5], [math.nan, 1.0]):
        with pytest.raises(MbsError):
            index(ill)


def test_what_disparity_refuses() -> None:
    for refused in (lambda: mean([]), lambda: cvar([]), lambda: worst({}), lambda: weighted_mean([1], [0]),
                    lambda: weighted_mean([1, 2], [1])):  # fmt: skip
        with pytest.raises(MbsError):
            refused()
