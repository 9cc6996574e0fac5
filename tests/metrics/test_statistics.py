"""Every statistic against a case by hand or a second way of computing it, and intervals against simulated truth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mbs.data.shares import declare_shares
from mbs.errors import MbsError
from mbs.evaluation.windows import Unit
from mbs.metrics import (
    Deltas,
    Estimate,
    accuracy_difference,
    accuracy_error,
    accuracy_retention,
    atkinson,
    benjamini_hochberg,
    bits_per_character,
    combine,
    cvar,
    cvar_harm,
    difference,
    gap,
    gini,
    harm_estimate,
    harm_per_byte,
    harm_per_character,
    holm,
    interval,
    jain,
    learnt,
    lost,
    mcnemar,
    mean,
    mean_estimate,
    paired_bootstrap,
    relative_change,
    relative_increase,
    resource_buckets,
    retention,
    sign_flip,
    spearman,
    standard_deviation,
    tail_harm,
    theil,
    weighted_mean,
    worst,
    worst_harm,
)
from mbs.metrics.selection import inflation, worst_on_other_cells

UNITS = (Unit("a", "", 10, 40, 20), Unit("b", "", 30, 60, 30))
INDICES: list[Callable[[list[float]], float]] = [gini, jain, atkinson, theil]
positive = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_units_of_harm_by_hand() -> None:
    dense, compressed, unigram = np.array([10.0, 60.0]), np.array([8.0, 70.0]), np.array([30.0, 80.0])
    assert retention(0.2) == pytest.approx(math.exp(-0.2))
    assert retention(-0.1) > 1
    assert relative_increase(0.2) == pytest.approx(1 / retention(0.2) - 1)
    assert bits_per_character(dense, UNITS) == pytest.approx(70 / (50 * math.log(2)))
    assert harm_per_byte(dense, compressed, UNITS) == pytest.approx(8 / (100 * math.log(2)))
    assert harm_per_character(dense, compressed, UNITS) == pytest.approx(8 / (50 * math.log(2)))
    assert lost(dense, compressed, unigram) == pytest.approx(8 / 40)
    assert lost(dense, unigram, unigram) == 1
    assert learnt(dense, unigram, 80)
    assert not learnt(dense, unigram, 81)
    with pytest.raises(MbsError, match="worse than unigram"):
        lost(unigram, compressed, dense)


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
    assert theil([0, 0, 0, 1]) == pytest.approx(math.log(4))
    assert atkinson([1, 4]) == pytest.approx(1 - 2 / 2.5)
    assert atkinson([1, 4], 0.5) == pytest.approx(1 - 1.5**2 / 2.5)
    assert atkinson([1, 4], 2) == pytest.approx(1 - 1 / (0.625 * 2.5))
    assert atkinson([0, 4]) == 1


@given(positive)
def test_indices_agree_with_their_double_loops_and_bounds(x: list[float]) -> None:
    n, middle = len(x), sum(x) / len(x)
    assert gini(x) == pytest.approx(sum(abs(a - b) for a in x for b in x) / (2 * n**2 * middle), abs=1e-9)
    assert -1e-9 <= gini(x) <= 1 - 1 / n + 1e-9
    assert 1 / n - 1e-9 <= jain(x) <= 1 + 1e-9
    assert jain(x) == pytest.approx(1 / (1 + (np.std(x) / middle) ** 2))
    assert -1e-9 <= theil(x) <= math.log(n) + 1e-9
    assert -1e-9 <= atkinson(x) <= 1
    assert atkinson(x, 1.0001) == pytest.approx(atkinson(x), abs=1e-2)
    for index in INDICES:
        assert index(x[::-1]) == pytest.approx(index(x))
        assert index([2 * value for value in x]) == pytest.approx(index(x), abs=1e-9)
    assert mean(x) <= cvar(x) + 1e-9 <= max(x) + 2e-9


@pytest.mark.parametrize(("index", "equal"), [(gini, 0), (jain, 1), (atkinson, 0), (theil, 0)])
def test_indices_of_equal_values_and_of_what_they_refuse(index: Callable[[list[float]], float], equal: int) -> None:
    assert index([0.7, 0.7, 0.7]) == pytest.approx(equal, abs=1e-12)
    for ill in ([], [0.0, 0.0], [-0.1, 0.5], [math.nan, 1.0]):
        with pytest.raises(MbsError):
            index(ill)


def test_what_disparity_refuses() -> None:
    for refused in (lambda: mean([]), lambda: cvar([]), lambda: worst({}), lambda: weighted_mean([1], [0]),
                    lambda: weighted_mean([1, 2], [1]), lambda: atkinson([1], 0)):  # fmt: skip
        with pytest.raises(MbsError):
            refused()


def deltas(seed: int, seeds: int = 4, documents: int = 9, level: float = 0.1) -> Deltas:
    random = np.random.default_rng(seed)
    tokens = random.integers(50, 500, documents).astype(float)
    rate = level + 0.05 * random.standard_normal((1, documents)) + 0.02 * random.standard_normal((seeds, 1))
    return Deltas((rate + 0.01 * random.standard_normal((seeds, documents))) * tokens, tokens)


def test_harm_is_a_ratio_averaged_over_seeds() -> None:
    made = harm_estimate(Deltas(np.array([[1.0, 5.0], [3.0, 7.0]]), np.array([10.0, 30.0])))
    assert made.value == pytest.approx((6 / 40 + 10 / 40) / 2)
    assert made.by_seed["seeds"] == pytest.approx([-0.025, 0.025])
    assert (made.seeds, made.documents) == (2, 2)


def test_documents_contribute_what_leaving_them_out_changes() -> None:
    some = deltas(0)
    made = harm_estimate(some)
    for d, z in enumerate(made.by_document["documents"]):
        left = Deltas(np.delete(some.delta, d, axis=1), np.delete(some.tokens, d))
        assert z == pytest.approx((made.value - harm_estimate(left).value) * 8 / 9)


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


def test_a_mean_over_parallel_languages_is_that_of_the_summed_documents() -> None:
    tokens = np.array([3.0, 5.0, 2.0, 4.0])
    random = np.random.default_rng(2)
    a, b = random.standard_normal((2, 3, 4))
    made = mean_estimate({"en": Deltas(a, tokens), "sw": Deltas(b, tokens)}, parallel=True)
    joint = harm_estimate(Deltas((a + b) / 2, tokens))
    assert made.value == pytest.approx(joint.value)
    assert made.by_document["documents"] == pytest.approx(joint.by_document["documents"])
    assert made.by_seed["seeds"] == pytest.approx(joint.by_seed["seeds"])


def test_independent_documents_add_their_variances_and_seeds_stay_joint() -> None:
    languages = {"en": deltas(3), "sw": deltas(4, documents=7)}
    made = mean_estimate(languages, parallel=False)
    assert set(made.by_document) == {"documents of en", "documents of sw"}
    assert made.documents == 7
    seeds = [harm_estimate(some).by_seed["seeds"] for some in languages.values()]
    assert made.by_seed["seeds"] == pytest.approx((seeds[0] + seeds[1]) / 2)
    weighted = mean_estimate(languages, parallel=False, weights={"en": 3, "sw": 1})
    values = [harm_estimate(some).value for some in languages.values()]
    assert weighted.value == pytest.approx((3 * values[0] + values[1]) / 4)


def test_a_difference_cancels_what_both_share() -> None:
    a = deltas(5)
    b = Deltas(a.delta - 0.03 * a.tokens, a.tokens)
    gain = interval(difference(harm_estimate(a), harm_estimate(b)))
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.03, 0.03, 0.03))
    apart = difference(harm_estimate(a), harm_estimate(b), same_seeds=False)
    assert set(apart.by_seed) == {"seeds", "other seeds"}
    assert apart.seeds == 4


def test_a_condition_without_calibration_is_broadcast() -> None:
    a = deltas(6)
    alone = Deltas(deltas(7).delta[:1] * 0 + a.tokens * 0.02, a.tokens)
    broadcast = Deltas(np.repeat(alone.delta, 4, axis=0), a.tokens)
    made = interval(difference(harm_estimate(a), harm_estimate(alone)))
    assert made == interval(difference(harm_estimate(a), harm_estimate(broadcast)))
    assert made.seeds == 4


def test_what_intervals_refuse() -> None:
    a, short = deltas(0), deltas(0, documents=5)
    with pytest.raises(MbsError, match="9 and 5 documents"):
        difference(harm_estimate(a), harm_estimate(short))
    with pytest.raises(MbsError, match="4 and 3 calibration seeds"):
        difference(harm_estimate(a), harm_estimate(deltas(0, seeds=3)))
    with pytest.raises(MbsError, match="same languages and documents"):
        difference(harm_estimate(a), mean_estimate({"en": a}, parallel=False))
    with pytest.raises(MbsError, match="parallel documents"):
        mean_estimate({"en": a, "sw": short}, parallel=True)
    with pytest.raises(MbsError, match="calibration seeds"):
        worst_harm({"en": a, "sw": deltas(0, seeds=3)}, parallel=False)
    for refused in (lambda: mean_estimate({}, True), lambda: combine([]), lambda: interval(harm_estimate(a), 95),
                    lambda: mean_estimate({"en": a}, True, {"en": 0}), lambda: Deltas(np.ones((2, 3)), np.ones(2)),
                    lambda: Deltas(np.full((1, 2), np.nan), np.ones(2)), lambda: Deltas(np.ones((1, 2)), np.zeros(2)),
                    lambda: worst_harm({"en": Deltas(np.ones((2, 1)), np.ones(1))}, True),
                    lambda: tail_harm({"en": a}, True, 2)):  # fmt: skip
        with pytest.raises(MbsError):
            refused()


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


def test_accuracies_by_hand() -> None:
    assert accuracy_error(0.5, 100) == pytest.approx(0.05)
    a, b = np.array([1, 1, 0, 1]), np.array([1, 0, 0, 0])
    made = accuracy_difference(a, b)
    assert (made.value, made.items, made.finding) == (0.5, 4, False)
    assert made.standard_error == pytest.approx(np.std([0, 1, 0, 1], ddof=1) / 2)
    joint = accuracy_difference(np.stack([a, a]), np.stack([b, a]))
    assert (joint.value, joint.standard_error) == pytest.approx((0.25, made.standard_error / 2))
    assert accuracy_difference(np.ones(1000), np.zeros(1000)).finding
    assert accuracy_retention(0.75, 0.5, 0.25, 900).value == pytest.approx(0.5)
    close = accuracy_retention(0.27, 0.26, 0.25, 900)
    assert close.value is None
    assert "not 2 standard errors above chance" in str(close.reason)
    for refused in (lambda: accuracy_error(1.5, 3), lambda: accuracy_difference(a, b[:2])):
        with pytest.raises(MbsError):
            refused()


def test_spearman_by_scipy_and_its_interval_by_hand() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 20)).round(1)
    y = y + x
    made = spearman(x.tolist(), y.tolist())
    rho = float(stats.spearmanr(x, y).statistic)
    assert made.value == pytest.approx(rho)
    half = stats.norm.ppf(0.975) * math.sqrt((1 + rho**2 / 2) / 17)
    assert (made.low, made.high) == pytest.approx(
        (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    )
    turned = spearman(np.exp(y).tolist(), x.tolist())
    assert (turned.value, turned.low) == pytest.approx((made.value, made.low))


def test_partial_spearman_by_the_inverse_correlation_matrix() -> None:
    random = np.random.default_rng(1)
    x, y, a, b = random.standard_normal((4, 20))
    x, y = x + a, y + a - b
    inverse = np.linalg.inv(stats.spearmanr(np.column_stack([x, y, a, b])).statistic)
    made = spearman(x.tolist(), y.tolist(), [a.tolist(), b.tolist()])
    expected = -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])
    assert made.value == pytest.approx(expected)
    assert (made.controls, made.n) == (2, 20)
    half = stats.norm.ppf(0.975) * math.sqrt((1 + expected**2 / 2) / 15)
    assert made.low == pytest.approx(math.tanh(math.atanh(expected) - half))


def test_correlations_that_do_not_exist_say_why() -> None:
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert "too few" in str(spearman(x[:4], x[:4]).reason)
    assert "same for all languages" in str(spearman(x, [1.0] * 6).reason)
    assert "follows from the controls" in str(spearman(x, [2, 1, 4, 3, 6, 5], [x]).reason)
    perfect = spearman(x, [-value for value in x])
    assert perfect.value == pytest.approx(-1)
    assert perfect.low is None
    with pytest.raises(MbsError):
        spearman(x, x[:5])


def test_groups_by_hand() -> None:
    dense, compressed = {"en": 40.0, "fr": 20.0, "sw": 10.0}, {"en": 38.0, "fr": 10.0, "sw": 5.0}
    made = relative_change(dense, compressed, {"en": "high", "fr": "high", "sw": "low", "de": "high"})
    assert made["high"].languages == ("en", "fr")
    assert made["high"].change == pytest.approx(100 * (24 - 30) / 30)
    assert made["low"].change == pytest.approx(-50)
    for refused in (lambda: relative_change(dense, compressed, {"en": "high"}),
                    lambda: relative_change(dense, {}, dict.fromkeys(dense, "x")),
                    lambda: relative_change({"en": 0.0}, {"en": 1.0}, {"en": "x"})):  # fmt: skip
        with pytest.raises(MbsError):
            refused()


def test_resource_buckets_by_declared_share() -> None:
    shares = declare_shares({"en": 94, "fr": 5, "sw": 1, "yo": 0.5})
    assert resource_buckets(["en", "sw", "yo", "de"], shares) == {
        "en": "high", "sw": "low", "yo": "low", "de": "undeclared"}  # fmt: skip
    assert resource_buckets(["fr", "sw"], declare_shares({"en": 94, "fr": 5, "sw": 1})) == {
        "fr": "high", "sw": "medium"}  # fmt: skip
    assert resource_buckets(["en"], None) == {"en": "undeclared"}


def test_an_estimate_knows_nothing_of_what_it_was_not_told() -> None:
    made = interval(Estimate(1.0, {}, {}, 1, 0))
    assert (made.low, made.high) == (1.0, 1.0)
