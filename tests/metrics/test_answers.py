"""What compression did to the answers, by hand: accuracy, flips, margins, divergence and calibration."""

from __future__ import annotations

import numpy as np
import pytest

from mbs.errors import MbsError
from mbs.metrics import accuracy_difference, accuracy_error, accuracy_retention
from mbs.metrics.answers import binned_calibration_error, calibration_error, compare_answers


def test_a_comparison_by_hand() -> None:
    gold = np.array([0, 1, 0, 1])
    dense = np.log([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]])
    compressed = np.log([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [0.2, 0.8]])
    right_d, right_c = dense.argmax(1) == gold, compressed.argmax(1) == gold
    found = compare_answers(right_d, right_c, gold, dense, compressed, 0.5)
    assert (found.n, found.accuracy_dense, found.accuracy_compressed) == (4, 0.75, 0.75)
    assert found.error_dense == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.difference_error == pytest.approx(np.sqrt(2 / 3 / 4))  # per item 0, -1, 1, 0
    assert (found.flips, found.lost_answers, found.gained_answers) == (0.5, 0.25, 0.25)
    assert found.retention is None
    assert found.retention_reason == "dense accuracy 0.750 is not 2 standard errors above chance 0.500"
    assert found.margin is not None
    assert found.margin.dense == pytest.approx(np.log([4, 1.5, 3 / 7, 9]).mean())
    assert found.margin.change == pytest.approx(np.log([1.5, 3 / 7, 9, 4]).mean() - found.margin.dense)
    kl = (np.exp(dense) * (dense - compressed)).sum(1).mean()
    assert found.divergence == pytest.approx(kl)
    assert found.brier is not None
    assert found.brier.dense == pytest.approx(2 * np.mean([0.2**2, 0.4**2, 0.7**2, 0.1**2]))
    assert found.calibration_error is not None  # one bin: |3/4 - mean(0.8, 0.6, 0.7, 0.9)|
    assert found.calibration_error.dense == pytest.approx(0.0)


def test_retention_above_chance() -> None:
    gold, right = np.zeros(100, dtype=int), np.arange(100) < 80
    less = np.arange(100) < 60
    nothing = np.zeros((100, 0))
    found = compare_answers(right, less, gold, nothing, nothing, 0.5)
    assert found.retention == pytest.approx(1 / 3)
    assert found.retention_reason is None
    assert (found.margin, found.flips, found.divergence, found.calibration_error, found.brier) == (None,) * 5
    assert found.p == pytest.approx(2 * 0.5**20)
    one = compare_answers(
        np.ones(1, bool), np.zeros(1, bool), np.zeros(1, int), np.zeros((1, 0)), np.zeros((1, 0)), 0.25
    )
    assert one.retention is None  # a single right answer shows nothing, though its own standard error is zero


def test_rows_with_fewer_choices_count_for_what_they_have() -> None:
    gold = np.array([0, 2])
    dense = np.array([[np.log(0.5), np.log(0.5), np.nan], np.log([0.2, 0.3, 0.5])])
    found = compare_answers(np.array([True, True]), np.array([True, True]), gold, dense, dense, 0.4)
    assert (found.divergence, found.flips) == (0.0, 0.0)
    assert found.margin is not None
    assert found.margin.dense == pytest.approx(np.log([1, 5 / 3]).mean())
    assert found.brier is not None
    assert found.brier.dense == pytest.approx((0.5 + (0.04 + 0.09 + 0.25)) / 2)


def test_calibration_error_by_hand() -> None:
    confidence = np.concatenate([np.full(10, 0.5), np.full(10, 0.9)])
    correct = np.concatenate([np.arange(10) < 7, np.arange(10) < 6])
    assert calibration_error(confidence, correct) == pytest.approx((0.2 + 0.3) / 2)
    assert calibration_error(confidence[5:15], correct[5:15]) == pytest.approx(abs(correct[5:15].mean() - 0.7))


def test_calibration_error_from_narrow_bins_is_that_of_the_tokens() -> None:
    random = np.random.default_rng(0)
    confidence = np.sort(random.random(6000))
    right = (random.random(6000) < confidence**2).astype(float)
    histogram = np.stack([
        np.histogram(confidence, 1000, (0, 1), weights=weights)[0] for weights in (np.ones(6000), confidence, right)
    ])  # fmt: skip
    assert binned_calibration_error(histogram, 10) == pytest.approx(calibration_error(confidence, right, 10), abs=2e-3)
    two = np.zeros((3, 1000))
    two[:, 300] = 4, 1.2, 4
    two[:, 900] = 4, 3.6, 2
    assert binned_calibration_error(two, 2) == pytest.approx((2.8 + 1.6) / 8)


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
