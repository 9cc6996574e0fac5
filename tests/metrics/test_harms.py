"""Harm in every unit, and its summary over languages, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from harms import result_with

from mbs.data.shares import declare_shares
from mbs.errors import MbsError
from mbs.evaluation.windows import Unit
from mbs.metrics import (
    Scores,
    bits_per_character,
    compare,
    harm_per_byte,
    harm_per_character,
    learnt,
    lost,
    low_resource,
    relative_increase,
    retention,
    scores,
    summarize,
)

UNITS = (Unit("a", "", 10, 40, 20), Unit("b", "", 30, 60, 30))


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


def test_scores_and_harm_by_hand() -> None:
    dense, compressed = np.array([10.0, 60.0]), np.array([8.0, 70.0])
    made = scores(dense, UNITS)
    assert made == Scores(math.exp(70 / 40), 70 / (math.log(2) * 100), 40, 100, 2)
    result = compare(dense, compressed, UNITS, 0.5, documents=True)
    assert result.harm == pytest.approx(8 / 40)
    assert result.harm == pytest.approx(math.log(result.compressed.perplexity / result.dense.perplexity))
    assert result.harm_per_document == pytest.approx(4.0)
    assert compare(dense, compressed, UNITS, None, documents=False).harm_per_document is None
    helped = compare(compressed, dense, UNITS, None, documents=True)
    assert helped.harm == pytest.approx(-0.2)


def test_a_perplexity_beyond_numbers_is_refused() -> None:
    with pytest.raises(MbsError, match=r"a perplexity of e\^800"):
        scores(np.array([8000.0, 24000.0]), UNITS)


def test_summary_by_hand() -> None:
    results = {"en": result_with(0.1), "sw": result_with(0.4), "yo": result_with(-0.2)}
    shares = declare_shares({"en": 5, "yo": 1, "sw": 2, "fr": 9})
    summary = summarize(results, shares)
    assert summary.harm_mean == pytest.approx(0.1)
    assert (summary.harm_worst, summary.worst_language) == (0.4, "sw")
    assert summary.low_resource_languages == ("yo",)
    assert summary.harm_low_resource == pytest.approx(-0.2)
    undeclared = summarize(results, None)
    assert (undeclared.harm_low_resource, undeclared.low_resource_languages) == (None, ())
    assert low_resource({"en": 0, "sw": 0, "yo": 0, "fr": 0}, shares) == ("sw", "yo")


def test_what_was_not_learnt_is_not_the_worst() -> None:
    summary = summarize({"en": result_with(0.1), "yo": result_with(0.9, False), "sw": result_with(0.2)}, None)
    assert (summary.worst_language, summary.harm_worst, summary.not_learnt) == ("sw", 0.2, ("yo",))
    assert summary.harm_mean == pytest.approx(0.4)
    assert summary.harm_cvar == 0.2
    assert summarize({"yo": result_with(0.9, False)}, None).worst_language == "yo"
