"""What compression does to each language, as pure functions of scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError
from mbs.evaluators.windows import Unit
from mbs.shares import Shares


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
    """Dense and compressed side by side; harm in nats per token and, for whole documents, per document."""

    share: float | None
    dense: Scores
    compressed: Scores
    harm: float
    harm_per_document: float | None


@dataclass(frozen=True)
class Summary:
    """Harm over languages: unweighted mean, the worst, and the mean of the half with the smallest declared shares."""

    harm_mean: float
    harm_worst: float
    worst_language: str
    harm_low_resource: float | None
    low_resource_languages: tuple[str, ...]


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


def compare(
    nll_dense: np.ndarray, nll_compressed: np.ndarray, units: Sequence[Unit], share: float | None, documents: bool
) -> LanguageResult:
    """The result of one language from the NLL of each unit; `documents` says whether units are whole documents."""
    dense, compressed = scores(nll_dense, units), scores(nll_compressed, units)
    per_document = float((nll_compressed - nll_dense).mean()) if documents else None
    return LanguageResult(share, dense, compressed, harm(nll_dense, nll_compressed, dense.tokens), per_document)


def summarize(results: Mapping[str, LanguageResult], shares: Shares | None) -> Summary:
    """Mean, worst, and low-resource harm; the last is None unless two evaluated languages have a declared share."""
    worst = max(results, key=lambda language: (results[language].harm, language))
    low = low_resource(results, shares)
    return Summary(
        harm_mean=_mean([result.harm for result in results.values()]),
        harm_worst=results[worst].harm,
        worst_language=worst,
        harm_low_resource=_mean([results[language].harm for language in low]) if low else None,
        low_resource_languages=low,
    )


def low_resource(languages: Mapping[str, object], shares: Shares | None) -> tuple[str, ...]:
    """The half (rounded down) of the languages with the smallest declared share, the larger share first."""
    if shares is None:
        return ()
    declared = [language for language in shares.languages if language in languages]
    return tuple(declared[(len(declared) + 1) // 2 :])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
