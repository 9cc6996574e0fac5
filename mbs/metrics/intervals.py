"""Harm of a language and of several with its first-order error, over calibration seeds crossed with documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError
from mbs.metrics.estimates import Array, Estimate, combine

SEEDS = "seeds"
DOCUMENTS = "documents"


@dataclass(frozen=True)
class Deltas:
    """NLL(compressed) - NLL(dense) of one language in nats, `delta` `[S, D]` for S calibration seeds and D documents.

    `tokens` `[D]` is what harm is a ratio to: scored tokens, or bytes, characters, or ones for harm per document.
    """

    delta: Array
    tokens: Array

    def __post_init__(self) -> None:
        if self.delta.ndim != 2 or not self.delta.size or self.tokens.shape != self.delta.shape[1:]:
            raise MbsError(
                f"differences {list(self.delta.shape)} with tokens {list(self.tokens.shape)}",
                "[seeds, documents] and [documents], one or more of each",
            )
        if not np.isfinite(self.delta).all() or not (self.tokens > 0).all():
            raise MbsError("differences that are no numbers, or documents without tokens", "scored documents")


def harm_estimate(deltas: Deltas, documents: str = DOCUMENTS) -> Estimate:
    """The mean over seeds of `sum delta / sum tokens`; `documents` names the set that its documents belong to.

    A document contributes what `contributions` says, averaged over seeds.
    """
    ratios = deltas.delta.sum(axis=1) / deltas.tokens.sum()
    by_document = contributions(deltas.delta, deltas.tokens).mean(axis=0)
    seeds, size = deltas.delta.shape
    by_seed = {SEEDS: (ratios - ratios.mean()) / seeds} if seeds > 1 else {}
    return Estimate(float(ratios.mean()), by_seed, {documents: by_document}, seeds, size)


def contributions(delta: Array, tokens: Array) -> Array:
    """What each document adds to the error of each seed's ratio `sum delta / sum tokens`, `[S, D]`.

    `(delta - ratio tokens) / sum tokens`, the linearised ratio (Cochran, Sampling Techniques, 1977, chapter 6), over
    `1 - tokens / sum tokens`, which makes it the change on leaving the document out (jackknife): a long document draws
    the ratio to itself and looks less exceptional than it is. Scaled by `(D - 1) / D`, so equal lengths change nothing.
    """
    size, total = len(tokens), tokens.sum()
    if size == 1:
        return np.zeros_like(delta)
    residuals = delta - delta.sum(axis=1, keepdims=True) / total * tokens
    made: Array = residuals / (total - tokens) * ((size - 1) / size)
    return made


def mean_estimate(
    languages: Mapping[str, Deltas], parallel: bool, weights: Mapping[str, float] | None = None
) -> Estimate:
    """The mean of the languages' harms, unweighted or by shares of the training text.

    `parallel` says that the d-th document of every language is the same text in translation, so that its error is
    shared; otherwise documents are independent between languages. Seeds are shared always: one calibration set
    compresses one model for all languages.
    """
    same_shape(languages, parallel)
    weight = {language: 1.0 if weights is None else weights[language] for language in languages}
    total = sum(weight.values())
    if not total > 0 or min(weight.values()) < 0:
        raise MbsError(f"weights {weight}", "numbers of zero or more, not all zero")
    return combine(
        [
            (weight[language] / total, harm_estimate(deltas, DOCUMENTS if parallel else f"{DOCUMENTS} of {language}"))
            for language, deltas in languages.items()
        ]
    )


def same_shape(languages: Mapping[str, Deltas], parallel: bool) -> None:
    """Refuses no language, languages with different numbers of seeds, and parallel ones of different documents."""
    if not languages:
        raise MbsError("no language", "one or more", "evaluating a language that the model has learnt")
    for axis, what in enumerate(("calibration seeds", "parallel documents")[: 1 + parallel]):
        found = {deltas.delta.shape[axis] for deltas in languages.values()}
        if len(found) > 1:
            raise MbsError(f"languages with {sorted(found)} {what}", f"as many {what} in every language")
