"""What compression does to the answers of a task, as pure functions of log-likelihoods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mbs.metrics.accuracy import accuracy_difference, accuracy_error, accuracy_retention
from mbs.metrics.significance import mcnemar

BINS = 10


@dataclass(frozen=True)
class Change:
    """A quantity of the dense model, of the compressed one, and compressed minus dense."""

    dense: float
    compressed: float
    change: float


@dataclass(frozen=True)
class TaskResult:
    """One task in one language, dense and compressed on the same items.

    `difference` is the compressed accuracy minus the dense one, its standard error that of the paired differences, `p`
    the exact McNemar test's. `retention` is `(a_c - chance) / (a_d - chance)`, null with the reason unless the dense
    accuracy is above chance by two standard errors. `margin`: ln p of the right answer minus that of the best other, in
    nats. `flips`: the share of items whose answer changed. `divergence`: KL(dense || compressed) over the answers in
    nats. Calibration error and Brier score are of the softmax over the answers. All from `margin` on are null where
    answers are generated.
    """

    n: int
    chance: float
    accuracy_dense: float
    accuracy_compressed: float
    error_dense: float
    error_compressed: float
    difference: float
    difference_error: float | None
    p: float
    retention: float | None
    retention_reason: str | None
    lost_answers: float
    gained_answers: float
    margin: Change | None = None
    flips: float | None = None
    divergence: float | None = None
    calibration_error: Change | None = None
    brier: Change | None = None


def compare_answers(
    correct_dense: np.ndarray,
    correct_compressed: np.ndarray,
    gold: np.ndarray,
    loglik_dense: np.ndarray,
    loglik_compressed: np.ndarray,
    chance: float,
) -> TaskResult:
    """Both models on the same items: correct `[n]` bool, gold `[n]`, ln p of the answers `[n, K]` (NaN: none such)."""
    before, after = correct_dense.astype(float), correct_compressed.astype(float)
    n = len(before)
    kept = accuracy_retention(float(before.mean()), float(after.mean()), chance, n)
    by_answer: dict[str, Any] = {}
    if loglik_dense.shape[1]:
        p, q = softmax(loglik_dense), softmax(loglik_compressed)
        by_answer = {
            "margin": _change(margin(loglik_dense, gold).mean(), margin(loglik_compressed, gold).mean()),
            "flips": float(np.mean(chosen(loglik_dense) != chosen(loglik_compressed))),
            "divergence": float(divergence(p, q).mean()),
            "calibration_error": _change(
                calibration_error(p.max(axis=1), correct_dense), calibration_error(q.max(axis=1), correct_compressed)
            ),
            "brier": _change(brier(p, gold), brier(q, gold)),
        }
    return TaskResult(
        n=n,
        chance=chance,
        accuracy_dense=float(before.mean()),
        accuracy_compressed=float(after.mean()),
        error_dense=accuracy_error(float(before.mean()), n),
        error_compressed=accuracy_error(float(after.mean()), n),
        difference=float((after - before).mean()),
        difference_error=accuracy_difference(after, before).standard_error if n > 1 else None,
        p=mcnemar(int((before > after).sum()), int((after > before).sum())),
        retention=kept.value,
        retention_reason=kept.reason,
        lost_answers=float(np.mean(before > after)),
        gained_answers=float(np.mean(after > before)),
        **by_answer,
    )


def _change(dense: float, compressed: float) -> Change:
    return Change(float(dense), float(compressed), float(compressed - dense))


def chosen(loglik: np.ndarray) -> np.ndarray:
    """The number of the likeliest answer `[n]`, the first of equals."""
    return np.asarray(np.nanargmax(loglik, axis=1))


def margin(loglik: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """`ln p(right) - max ln p(other)` per item, in nats."""
    rows = np.arange(len(gold))
    others = loglik.copy()
    others[rows, gold] = np.nan
    return np.asarray(loglik[rows, gold] - np.nanmax(others, axis=1))


def softmax(loglik: np.ndarray) -> np.ndarray:
    """Probabilities over the answers of each item `[n, K]`, not normalised for length; 0 where there is no answer."""
    shifted = np.exp(loglik - np.nanmax(loglik, axis=1, keepdims=True))
    return np.asarray(np.nan_to_num(shifted) / np.nansum(shifted, axis=1, keepdims=True))


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """`KL(p || q) = sum p ln(p / q)` per item, in nats; q is kept above 1e-300."""
    return np.asarray(
        np.sum(np.where(p > 0, p * (np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(q, 1e-300))), 0), 1)
    )


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """`sum_b (n_b / n) |accuracy_b - confidence_b|` over bins of equal mass (Nixon et al., 2019).

    Fewer bins where there would be fewer than ten items in one.
    """
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, max(1, min(bins, len(order) // 10)))
    gaps = [len(part) * abs(correct[part].mean() - confidence[part].mean()) for part in parts if len(part)]
    return float(sum(gaps) / len(order))


def binned_calibration_error(histogram: np.ndarray, bins: int = 15) -> float:
    """`calibration_error` from narrow bins `[3, B]` of number, summed confidence and right ones, sorted by confidence.

    Neighbours are put together into `bins` of about equal mass.
    """
    number = histogram[0]
    total = number.sum()
    owner = np.minimum(((np.cumsum(number) - number / 2) / total * bins).astype(int), bins - 1)
    sums = np.stack([np.bincount(owner, row, bins) for row in histogram])
    return float(np.abs(sums[2] - sums[1]).sum() / total)


def brier(p: np.ndarray, gold: np.ndarray) -> float:
    """`1/n sum_i sum_k (p_ik - y_ik)^2` (Brier, 1950): 0 is perfect, 2 is certain and wrong."""
    target = np.zeros_like(p)
    target[np.arange(len(gold)), gold] = 1
    return float(((p - target) ** 2).sum(axis=1).mean())
