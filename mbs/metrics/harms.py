"""What compression does to each language, as pure functions of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError
from mbs.evaluation.windows import Unit
from mbs.metrics.answers import Change
from mbs.metrics.estimates import Interval, interval
from mbs.metrics.intervals import Deltas, harm_estimate

LEARNT = 0.5  # nats per token by which the dense model must beat unigram frequencies


@dataclass(frozen=True)
class Scores:
    """One model on one language: totals over all units."""

    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int
    documents: int


@dataclass(frozen=True)
class LanguageResult:
    """Dense and compressed side by side; harm in nats per token and, for whole documents, per document.

    `harm_per_byte` and `harm_per_character` are in bits. `interval`: harm over documents, under this calibration alone.
    `learnt` says whether the dense model beats unigram frequencies, `lost` which part of that is gone (None where there
    is nothing to compare with). `divergence`: KL(dense || compressed) in nats over `divergence_tokens` evenly spaced
    tokens. `calibration_error`: of the next token, dense, compressed and the change. `dropped_windows`: how many
    windows of the text a cap left out.
    """

    share: float | None
    dense: Scores
    compressed: Scores
    harm: float
    harm_per_document: float | None
    harm_per_byte: float | None = None
    harm_per_character: float | None = None
    relative_increase: float | None = None
    retention: float | None = None
    interval: Interval | None = None
    learnt: bool | None = None
    lost: float | None = None
    divergence: float | None = None
    divergence_tokens: int = 0
    calibration_error: Change | None = None
    dropped_windows: int = 0


def scores(nll: np.ndarray, units: Sequence[Unit]) -> Scores:
    """Perplexity `exp(sum NLL / sum tokens)` and bits per byte `sum NLL / (ln 2 * sum bytes)`."""
    total = float(nll.sum())
    tokens, size = sum(unit.tokens for unit in units), sum(unit.bytes for unit in units)
    if total > 700 * tokens:
        raise MbsError(f"a perplexity of e^{total / tokens:.0f}", "a model that still works", "less sparsity")
    return Scores(math.exp(total / tokens), total / (math.log(2) * size), tokens, size, len(units))


def harm(nll_dense: np.ndarray, nll_compressed: np.ndarray, tokens: int) -> float:
    """`ln PPL(compressed) - ln PPL(dense)` in nats per token; negative where compression helps, never clipped."""
    return float((nll_compressed - nll_dense).sum()) / tokens


def retention(harm: float) -> float:
    """`PPL(dense) / PPL(compressed) = e^-harm`: 1 without harm, above 1 where compression helps, never clipped."""
    return math.exp(-harm)


def relative_increase(harm: float) -> float:
    """`PPL(compressed) / PPL(dense) - 1 = e^harm - 1`."""
    return math.expm1(harm)


def bits_per_character(nll: np.ndarray, units: Sequence[Unit]) -> float:
    """`sum NLL / (ln 2 * sum characters)` from the NLL of each unit in nats."""
    return float(nll.sum()) / (math.log(2) * sum(unit.characters for unit in units))


def harm_per_byte(nll_dense: np.ndarray, nll_compressed: np.ndarray, units: Sequence[Unit]) -> float:
    """Bits per byte of the compressed model less those of the dense one; favours scripts of many bytes a character."""
    return float((nll_compressed - nll_dense).sum()) / (math.log(2) * sum(unit.bytes for unit in units))


def harm_per_character(nll_dense: np.ndarray, nll_compressed: np.ndarray, units: Sequence[Unit]) -> float:
    """Bits per character of the compressed model less those of the dense one; favours alphabets over characters."""
    return bits_per_character(nll_compressed - nll_dense, units)


def learnt(nll_dense: np.ndarray, nll_unigram: np.ndarray, tokens: int) -> bool:
    """Whether the dense model beats the language's unigram frequencies by `LEARNT` nats per token or more.

    A language that was never learnt has nothing to lose, so it counts neither for the worst language nor for CVaR.
    """
    return float((nll_unigram - nll_dense).sum()) >= LEARNT * tokens


def lost(nll_dense: np.ndarray, nll_compressed: np.ndarray, nll_unigram: np.ndarray) -> float:
    """The part of what was learnt that compression loses: `sum(compressed - dense) / sum(unigram - dense)`.

    1 where the compressed model knows no more than how frequent each token is, above 1 where it knows less, below 0
    where compression helps. Refused where the dense model is no better than the unigram frequencies.
    """
    known = float((nll_unigram - nll_dense).sum())
    if not known > 0:
        raise MbsError(
            f"the dense model is {-known:.4g} nats worse than unigram frequencies",
            "a language that the dense model has learnt",
            "leaving the language out",
        )
    return float((nll_compressed - nll_dense).sum()) / known


def compare(
    nll_dense: np.ndarray, nll_compressed: np.ndarray, units: Sequence[Unit], share: float | None, documents: bool
) -> LanguageResult:
    """The result of one language from the NLL of each unit; `documents` says whether units are whole documents."""
    dense, compressed = scores(nll_dense, units), scores(nll_compressed, units)
    per_document = float((nll_compressed - nll_dense).mean()) if documents else None
    found = harm(nll_dense, nll_compressed, dense.tokens)
    return LanguageResult(
        share,
        dense,
        compressed,
        found,
        per_document,
        harm_per_byte=harm_per_byte(nll_dense, nll_compressed, units),
        harm_per_character=harm_per_character(nll_dense, nll_compressed, units),
        relative_increase=relative_increase(found),
        retention=retention(found),
        interval=interval(harm_estimate(deltas(nll_dense, nll_compressed, units))),
    )


def deltas(nll_dense: np.ndarray, nll_compressed: np.ndarray, units: Sequence[Unit]) -> Deltas:
    """One language under one calibration seed, as intervals take it; units without a scored token say nothing."""
    tokens = np.asarray([unit.tokens for unit in units], dtype=np.float64)
    scored = tokens > 0
    return Deltas((nll_compressed - nll_dense)[None, scored], tokens[scored])
