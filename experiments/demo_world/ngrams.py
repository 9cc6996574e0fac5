"""An n-gram model with Witten-Bell smoothing (Chen and Goodman, 1999): the yardstick beside a language model."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

Token = str | int


def perplexity(train: Sequence[Sequence[Token]], test: Sequence[Sequence[Token]], order: int = 3) -> float:
    """Perplexity on test of the interpolated n-gram model that train gives, ends of lines predicted."""
    counts: tuple[Counter, ...] = tuple(Counter() for _ in range(order))
    totals: Counter = Counter()
    kinds: Counter = Counter()
    for plain in train:
        line = ["<s>", "<s>", *plain, "</s>"]
        for i in range(2, len(line)):
            for n in range(order):
                gram = tuple(line[i - n : i + 1])
                if counts[n][gram] == 0:
                    kinds[gram[:-1]] += 1
                counts[n][gram] += 1
                totals[gram[:-1]] += 1
    size = len(counts[0]) + 1
    log, seen = 0.0, 0
    for plain in test:
        line = ["<s>", "<s>", *plain, "</s>"]
        for i in range(2, len(line)):
            p = 1 / size
            for n in range(order):
                gram = tuple(line[i - n : i + 1])
                if totals[gram[:-1]]:
                    p = (counts[n][gram] + kinds[gram[:-1]] * p) / (totals[gram[:-1]] + kinds[gram[:-1]])
            log, seen = log - np.log(p), seen + 1
    return float(np.exp(log / seen))
