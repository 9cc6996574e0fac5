"""Rank correlation by scipy, partial correlation by the inverse matrix, groups of languages by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from harms import result_with
from scipy import stats

from mbs.data.languages import LANGUAGES
from mbs.data.shares import declare_shares
from mbs.errors import MbsError
from mbs.metrics import relative_change, resource_buckets, spearman
from mbs.metrics.causes import changes_by_group, dependences


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


def test_groups_and_dependence_by_hand() -> None:
    shares = declare_shares({"en": 90, "sw": 6, "yo": 3, "zh-Hans": 1})
    harms = {"en": 0.1, "zh-Hans": 0.4, "sw": 0.2, "yo": 0.3}
    results = {code: result_with(harm) for code, harm in harms.items()}
    changes = changes_by_group(results, shares, LANGUAGES)
    assert changes["script"].keys() == {"Latn", "Hans"}
    assert changes["script"]["Hans"].change == pytest.approx(100 * (np.exp(0.4) - 1))
    assert changes["resource"]["high"].languages == ("en", "sw")
    many = {code: 0.1 * number for number, code in enumerate(("en", "fr", "sw", "yo", "ig", "hi", "bn"))}
    rank: dict[str, float | None] = {code: -number for number, code in enumerate(many)}
    bent: dict[str, float | None] = {code: number * (-1) ** number for number, code in enumerate(many)}
    found = dependences(many, {"share": rank, "nothing": dict.fromkeys(many), "bent": {**bent, "en": None}})
    assert found.keys() == {"share", "bent"}
    assert found["share"].alone.value == pytest.approx(-1)
    assert (found["share"].given, found["bent"].alone.n) == (("bent",), 6)
