"""A language's text in parts that are scored, and kept, by themselves.

What a part holds depends on the text before its end alone. Text that is added later makes new parts and leaves the old
ones as they were, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mbs.evaluation.perplexity import TextScores, ranks
from mbs.evaluation.windows import LanguageText

LARGEST = 16  # batches in a part at most


@dataclass(frozen=True)
class Part:
    """Consecutive units of a text, and which of its scored tokens are sampled (`[m]`, ascending).

    `kept` `[m]` says which of those are still in the sample of the whole text.
    """

    text: LanguageText
    sampled: np.ndarray
    kept: np.ndarray


def parts(text: LanguageText, batch_tokens: int, sample: int) -> list[Part]:
    """The text in parts of whole units: of 1, 1, 2, 4, 8, 16, 16, ... batches, each ended by the unit that fills it.

    So what follows later costs at most half of a text again, and a long text has few parts.
    """
    found: list[Part] = []
    done = 0
    every = ranks(text.tokens) if sample else np.zeros(0, dtype=np.uint64)
    whole = _threshold(every, sample)
    for piece in _pieces(text, batch_tokens):
        end = done + piece.tokens
        own = every[done:end]
        sampled = np.flatnonzero(own <= _threshold(every[:end], sample)) if sample else np.zeros(0, dtype=np.int64)
        found.append(Part(piece, sampled, own[sampled] <= whole))
        done = end
    return found


def joined(found: Sequence[Part], scores: Sequence[TextScores]) -> TextScores:
    """The scores of the whole text from those of its parts."""
    return TextScores(
        nll=np.concatenate([one.nll for one in scores]),
        confidence=np.sum([one.confidence for one in scores], axis=0),
        states=_sample([(part.kept, one.states) for part, one in zip(found, scores, strict=True)]),
        divergence=_sample([(part.kept, one.divergence) for part, one in zip(found, scores, strict=True)]),
    )


def _sample(held: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([values[kept] for kept, values in held if len(values)] or [np.zeros(0)])


def _threshold(order: np.ndarray, count: int) -> int:
    """The largest rank that is among the `count` smallest."""
    if len(order) <= count:
        return int(np.iinfo(np.uint64).max)
    return int(np.partition(order, count - 1)[count - 1])


def _pieces(text: LanguageText, batch_tokens: int) -> Iterator[LanguageText]:
    owners = np.asarray(text.unit_of_window)
    first = held = number = 0
    for unit in range(len(text.units)):
        rows = slice(*np.searchsorted(owners, [unit, unit + 1]))
        held += sum(len(window) for window in text.windows[rows])
        full = held >= batch_tokens * min(LARGEST, 2 ** max(0, number - 1))
        if full or unit == len(text.units) - 1:
            start, end = np.searchsorted(owners, [first, unit + 1])
            yield LanguageText(
                text.language,
                text.windows[start:end],
                text.context[start:end],
                tuple((owners[start:end] - first).tolist()),
                text.units[first : unit + 1],
                text.sizes[start:end],
            )
            first, held, number = unit + 1, 0, number + 1
