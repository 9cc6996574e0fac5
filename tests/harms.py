"""Harms in tests: drawn deltas, and results of a stated harm."""

from __future__ import annotations

import numpy as np

from mbs.metrics import Deltas, Scores
from mbs.metrics.harms import LanguageResult


def deltas(seed: int, seeds: int = 4, documents: int = 9, level: float = 0.1) -> Deltas:
    random = np.random.default_rng(seed)
    tokens = random.integers(50, 500, documents).astype(float)
    rate = level + 0.05 * random.standard_normal((1, documents)) + 0.02 * random.standard_normal((seeds, 1))
    return Deltas((rate + 0.01 * random.standard_normal((seeds, documents))) * tokens, tokens)


def result_with(harm: float, learnt: bool | None = True) -> LanguageResult:
    dense, compressed = Scores(10.0, 1.0, 100, 100, 2), Scores(10.0 * np.exp(harm), 1.0, 100, 100, 2)
    return LanguageResult(0.1, dense, compressed, harm, None, retention=float(np.exp(-harm)), learnt=learnt)
