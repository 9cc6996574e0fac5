"""The unigram model by a naive count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mbs.data.corpora.base import Document
from mbs.data.corpora.folder import FolderCorpus
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.unigram import DISCOUNT, unigram_nll
from mbs.evaluation.windows import PerplexityTask, by_document


def test_unigram_by_a_naive_count(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    text = PerplexityTask(length=16).read(FolderCorpus(evaluation_folder), "sw", tokenizer)
    targets: list[list[int]] = [[] for _ in text.units]
    for window, context, unit in zip(text.windows, text.context, text.unit_of_window, strict=True):
        targets[unit] += window[context:].tolist()
    found = unigram_nll(text, 400)
    assert found is not None
    for number, mine in enumerate(targets):
        others = Counter(token for k, held in enumerate(targets) if k % 2 != number % 2 for token in held)
        total = sum(others.values())
        p = {t: (max(others[t] - DISCOUNT, 0) + DISCOUNT * len(others) / 400) / total for t in range(400)}
        assert sum(p.values()) == pytest.approx(1)
        assert found[number] == pytest.approx(-sum(np.log(p[token]) for token in mine))
    alone = by_document("sw", [Document("a", "kiwa mungo")], tokenizer, 16)
    assert unigram_nll(alone, 400) is None
