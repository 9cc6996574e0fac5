"""Harm as an estimate over seeds and documents: ratios, means over languages, differences."""

from __future__ import annotations

import numpy as np
import pytest
from harms import deltas

from mbs.errors import MbsError
from mbs.metrics import Deltas, combine, difference, harm_estimate, interval, mean_estimate, tail_harm, worst_harm


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
