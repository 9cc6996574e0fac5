"""The worst languages are chosen on other cells than they are measured on: by a plain loop, and simulated truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from harms import deltas

from mbs.metrics import Deltas, cvar_harm, harm_estimate, interval, mean_estimate, tail_harm, worst_harm
from mbs.metrics.selection import inflation, worst_on_other_cells


def ratio(some: Deltas, seeds: list[int], half: int) -> float:
    return float(some.delta[seeds, half::2].sum(axis=1).mean() / some.tokens[half::2].sum())


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_cross_fitting_by_a_plain_loop(parallel: bool, seeds: int) -> None:
    languages = {name: deltas(k, seeds, 9 if parallel else 8 + k, 0.1) for k, name in enumerate("abcdefg")}
    total, counts = 0.0, dict.fromkeys(languages, 0)
    for s, half in itertools.product(range(seeds), (0, 1)):
        others = [k for k in range(seeds) if k != s] or [s]
        ranked = sorted(languages, key=lambda name: ratio(languages[name], others, 1 - half))
        for name in ranked[-2:]:
            counts[name] += 1
            total += ratio(languages[name], [s], half) / 2
    made = cvar_harm(languages, parallel)
    assert made.estimate.value == pytest.approx(total / (2 * seeds))
    assert made.chosen == pytest.approx({name: c / (2 * seeds) for name, c in counts.items() if c})
    assert list(made.chosen.values()) == sorted(made.chosen.values(), reverse=True)
    assert made.estimate.by_document.keys() == cvar_harm(languages, parallel).estimate.by_document.keys()
    assert all(abs(z.sum()) < 0.1 for z in made.estimate.by_document.values())


def test_a_worst_language_that_is_clear_has_its_own_interval() -> None:
    languages = {"en": deltas(0, 4, 40, 0.1), "sw": deltas(1, 4, 40, 0.9)}
    made = worst_harm(languages, parallel=False)
    assert made.chosen == {"sw": 1.0}
    plain = interval(harm_estimate(languages["sw"]))
    ours = interval(made.estimate)
    assert plain.low is not None
    assert ours.low is not None
    assert ours.value == pytest.approx(plain.value, abs=0.01)
    assert ours.value - ours.low == pytest.approx(plain.value - plain.low, rel=0.25)


def test_all_languages_as_the_tail_are_their_mean() -> None:
    languages = {name: Deltas(deltas(k).delta, np.ones(9)) for k, name in enumerate("abc")}
    made = tail_harm(languages, True, 3)
    halves = [np.mean([ratio(some, [0, 1, 2, 3], half) for some in languages.values()]) for half in (0, 1)]
    assert made.estimate.value == pytest.approx(np.mean(halves))
    assert inflation(np.zeros((3, 2, 4)), [], 3, True) == 1


def test_the_order_of_languages_does_not_matter() -> None:
    languages = {name: deltas(k) for k, name in enumerate("abcdefg")}
    turned = dict(reversed(languages.items()))
    for parallel in (True, False):
        a, b = (interval(cvar_harm(some, parallel).estimate) for some in (languages, turned))
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_choosing_between_two_equal_languages_adds_two_over_pi() -> None:
    """Two cells whose noise less its mean is (x, -x) and (y, -y): errors sign(y) x and sign(x) y, E|x||y| = 2/pi."""
    noise = np.random.default_rng(0).standard_normal((2, 2, 400)) / 20
    halves = [list(half) for half in noise]
    made = inflation(np.zeros((2, 2, 1)), halves, 1, parallel=False, draws=100_000)
    assert made == pytest.approx(1 + 2 / math.pi, abs=0.03)
    apart = np.array([[[0.0], [0.0]], [[50.0], [50.0]]])
    assert inflation(apart, halves, 1, parallel=False, draws=20_000) == pytest.approx(1, abs=0.05)
    assert inflation(np.zeros((2, 2, 1)), [list(np.zeros((2, 3)))] * 2, 1, parallel=True) == 1


def test_weights_choose_on_other_cells_alone() -> None:
    ratios = np.random.default_rng(1).standard_normal((5, 2, 3))
    moved = ratios.copy()
    moved[:, 0, 1] = 100 * np.random.default_rng(2).standard_normal(5)
    weights = worst_on_other_cells(ratios, 2)
    assert np.allclose(weights.sum(axis=0), 1)
    assert (weights[:, 0, 1] == worst_on_other_cells(moved, 2)[:, 0, 1]).all()


def test_coverage_of_the_mean_and_of_cvar() -> None:
    """200 simulated drawings with a known truth; the full table is in docs/statistics.md."""
    random = np.random.default_rng(3)
    true = np.linspace(0.05, 0.15, 8)
    covered = np.zeros(2)
    for _ in range(200):
        tokens = 400 * np.exp(0.6 * random.standard_normal(40))
        rate = true[:, None, None] + 0.005 * random.standard_normal((8, 4, 1)) + 0.004 * random.standard_normal((4, 1))
        rate = rate + 0.02 * random.standard_normal(40) + 0.03 * random.standard_normal((8, 1, 40))
        languages = {str(k): Deltas(rate[k] * tokens, tokens) for k in range(8)}
        made = interval(mean_estimate(languages, True)), interval(cvar_harm(languages, True, draws=100).estimate)
        for k, (one, target) in enumerate(zip(made, (true.mean(), true[-2:].mean()), strict=True)):
            assert one.low is not None
            assert one.high is not None
            covered[k] += one.low <= target <= one.high
    assert (covered >= 0.90 * 200).all()
    assert (covered < 200).all()
