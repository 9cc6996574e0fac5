"""Mixes: whole counts that sum, whatever the order, from what the corpus has."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbs.data.languages import LANGUAGES, PAPER_LANGUAGES
from mbs.data.mixes import Custom, Mbs, Mix, Single, Uniform, apportion, apportion_with_floor, segment_counts
from mbs.data.shares import declare_shares, roots
from mbs.errors import MbsError

amounts = st.dictionaries(st.sampled_from(sorted(LANGUAGES)), st.integers(1, 10**12), min_size=1, max_size=20)


def test_the_papers_counts() -> None:
    weights = {code: roots().amounts[code] for code in PAPER_LANGUAGES}
    counts = apportion_with_floor(weights, 256)
    assert [counts[code] for code in PAPER_LANGUAGES] == [87, 47, 37, 31, 14, 13, 7, 4, 3, 3] + [1] * 10


@pytest.mark.guard(
    "mbs/data/mixes.py",
    "key=lambda language: (counts[language] - quota[language], language))",
    "key=lambda language: 0)",
)
@given(amounts, st.integers(0, 500), st.randoms())
def test_counts_sum_and_ignore_key_order(weights: dict[str, int], extra: int, order: random.Random) -> None:
    exact = {code: Fraction(amount) for code, amount in weights.items()}
    shuffled_keys = sorted(exact, key=lambda code: order.random())
    segments = len(exact) + extra
    for rule in (apportion, apportion_with_floor):
        counts = rule(exact, segments)
        assert sum(counts.values()) == segments
        assert counts == rule({code: exact[code] for code in shuffled_keys}, segments)
    assert min(counts.values()) >= 1


def test_fewer_segments_than_languages_is_refused() -> None:
    with pytest.raises(MbsError, match=r"calibration\.segments=1 for 2 languages"):
        apportion_with_floor({"en": Fraction(1), "sw": Fraction(1)}, 1)


def test_mixes_plan_what_the_corpus_has() -> None:
    shares = declare_shares({"en": 6, "fr": 3, "sw": 1})
    available = ("en", "sw", "yo")
    mbs = segment_counts(Mbs(), ("en", "fr", "sw"), available, 7, shares)
    assert (mbs.counts, mbs.dropped) == ({"en": 6, "sw": 1}, ("fr",))
    assert segment_counts(Single("sw"), ("en",), available, 7, None).counts == {"sw": 7}
    assert segment_counts(Uniform(), available, available, 7, None).counts == {"en": 3, "sw": 2, "yo": 2}
    custom = segment_counts(Custom({"sw": 1, "en": 999, "yo": 0}), (), available, 5, None)
    assert (custom.counts, custom.without_segment) == ({"en": 5}, ("sw",))


@pytest.mark.parametrize(
    ("mix", "shares", "words"),
    [(Mbs(), None, "model.shares is not set"), (Mbs(), {"yo": 1}, "declares none of"),
     (Single("fr"), None, "corpus has none of them")],
)  # fmt: skip
def test_impossible_mixes_are_refused(mix: Mix, shares: Any, words: str) -> None:
    with pytest.raises(MbsError, match=words):
        segment_counts(mix, ("en", "sw"), ("en", "sw"), 4, declare_shares(shares))


@pytest.mark.parametrize("weights", [None, {}, {"en": -1}, {"en": "x"}, {"en": 0}, {"en": float("inf")}])
def test_wrong_weights_are_refused(weights: Any) -> None:
    with pytest.raises(MbsError, match="weights"):
        Custom(weights)
