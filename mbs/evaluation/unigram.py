"""What a model without any context would make of a text: the yardstick of whether a language was learnt at all."""

from __future__ import annotations

import numpy as np

from mbs.evaluation.windows import LanguageText

DISCOUNT = 0.75


def unigram_nll(text: LanguageText, vocabulary: int) -> np.ndarray | None:
    """The NLL in nats of each unit under token frequencies, float64 `[units]`; None for fewer than two units.

    Frequencies come from the other half of the units (even ones score odd ones and the reverse), so that no unit scores
    itself; what absolute discounting takes from the seen tokens goes to the whole vocabulary evenly:
    `p(w) = max(c(w) - d, 0) / N + d U / (N V)` with `d = 0.75`, N tokens and U distinct ones (Ney, Essen and Kneser,
    1994).
    """
    if len(text.units) < 2:
        return None
    targets = np.concatenate([window[start:] for window, start in zip(text.windows, text.context, strict=True)])
    owner = np.repeat(text.unit_of_window, [size[0] for size in text.sizes])
    nll = np.zeros(len(text.units))
    for half in (0, 1):
        mine = owner % 2 == half
        counts = np.bincount(targets[~mine], minlength=vocabulary).astype(np.float64)
        spread = DISCOUNT * np.count_nonzero(counts) / vocabulary
        p = (np.maximum(counts - DISCOUNT, 0) + spread) / counts.sum()
        np.add.at(nll, owner[mine], -np.log(p[targets[mine]]))
    return nll
