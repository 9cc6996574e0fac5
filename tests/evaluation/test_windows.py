"""Windows: no token is lost, none is scored twice, and halves and caps are as stated."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import random_model
from hypothesis import given, settings
from hypothesis import strategies as st
from windowed import LENGTH, read

from mbs.data.corpora.folder import FolderCorpus
from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.perplexity import batches, measure_text, ranks
from mbs.evaluation.windows import PerplexityTask, evenly_spaced


@pytest.mark.parametrize("name", ["tokenizer", "bos_tokenizer"])
@pytest.mark.parametrize("language", ["en", "zh-Hans", "yo"])
def test_documents_drop_nothing(
    evaluation_folder: Path, request: pytest.FixtureRequest, language: str, name: str
) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(name)
    documents = FolderCorpus(evaluation_folder).documents(language)
    text = read(evaluation_folder, tokenizer, language, "documents")
    encoded = tokenizer.encode([document.text for document in documents])
    pieces = list(zip(text.windows, text.context, text.unit_of_window, strict=True))
    for number, (document, ids, unit) in enumerate(zip(documents, encoded, text.units, strict=True)):
        mine = [(window, context) for window, context, owner in pieces if owner == number]
        assert mine[0][0][0] == (tokenizer.separator if tokenizer.start is None else tokenizer.start)
        assert np.concatenate([window[context:] for window, context in mine]).tolist() == ids.tolist()
        for (before, _), (after, context) in pairwise(mine):
            assert after[context - 1] == before[-1]
            assert tokenizer.start is None or after[0] == tokenizer.start
        assert all(2 <= len(window) <= LENGTH for window, _ in mine)
        size = (len(ids), len(document.text.encode()), len(document.text))
        assert (unit.tokens, unit.bytes, unit.characters) == size


def test_a_first_token_is_context_and_not_scored(evaluation_folder: Path, bos_tokenizer: Tokenizer) -> None:
    model = random_model("llama")
    text = read(evaluation_folder, bos_tokenizer, "en", "documents")
    assert set(text.context) == {1, 2}
    expected = np.zeros(len(text.units))
    with torch.no_grad():
        for window, context, unit in zip(text.windows, text.context, text.unit_of_window, strict=True):
            logits = model(torch.from_numpy(window)[None], use_cache=False).logits[0].double()
            targets = torch.from_numpy(window[context:])
            expected[unit] += F.cross_entropy(logits[context - 1 : -1], targets, reduction="sum").item()
    assert np.allclose(measure_text(BlockwiseModel.of(model), text).nll, expected, rtol=1e-5)


def test_paper_windows_are_whole_and_the_tail_is_dropped(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    joined = "\n\n".join(document.text for document in FolderCorpus(evaluation_folder).documents("fr"))
    (ids,) = tokenizer.encode([joined])
    text = read(evaluation_folder, tokenizer, "fr", "paper")
    assert np.concatenate(text.windows).tolist() == ids[: len(ids) // LENGTH * LENGTH].tolist()
    assert {unit.tokens for unit in text.units} == {LENGTH - 1}
    assert len(text.units) == len(text.windows) == len(ids) // LENGTH


def test_batches_hold_every_window_once(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    text = read(evaluation_folder, tokenizer, "en", "documents")
    made = batches(text, 70)
    assert sorted(row for batch in made for row in batch.rows) == list(range(len(text.windows)))
    assert all(batch.ids.numel() <= 70 for batch in made)
    assert len(batches(text, 1)) == len(text.windows)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"protocol": "document"}, "try 'documents'"), ({"documents": 0}, "evaluation.documents=0"),
     ({"documents": True}, "evaluation.documents=True"), ({"length": 1}, "evaluation.length=1"),
     ({"windows": 0}, "evaluation.windows=0"), ({"split": "half"}, "evaluation.split"),
     ({"divergence": -1}, "evaluation.divergence=-1")],
)  # fmt: skip
def test_wrong_tasks_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(MbsError, match=words):
        PerplexityTask(**fields)


@settings(max_examples=50)
@given(st.integers(1, 3000), st.integers(1, 500))
def test_sampled_tokens_are_spread_evenly_over_any_number(tokens: int, count: int) -> None:
    chosen = np.sort(np.argsort(ranks(tokens))[:count])
    gaps = np.diff([-1, *chosen, tokens])
    assert gaps.max() <= 3 * max(1, tokens / min(count, tokens)) + 1


@pytest.mark.parametrize("protocol", ["documents", "paper"])
def test_capped_windows_are_evenly_spaced_and_keep_their_sizes(
    evaluation_folder: Path, tokenizer: Tokenizer, protocol: str
) -> None:
    whole = read(evaluation_folder, tokenizer, "zh-Hans", protocol)
    total = len(whole.windows)
    for count in (1, 2, total - 1, total, total + 5):
        text = evenly_spaced(whole, count)
        assert len(text.windows) == min(count, total) == total - text.dropped_windows
        assert text.tokens == sum(len(w) - c for w, c in zip(text.windows, text.context, strict=True))
        assert {unit.id for unit in text.units} <= {unit.id for unit in whole.units}
        for number, unit in enumerate(text.units):
            mine = [size for size, owner in zip(text.sizes, text.unit_of_window, strict=True) if owner == number]
            assert (unit.tokens, unit.bytes, unit.characters) == tuple(map(sum, zip(*mine, strict=True)))
    assert np.array_equal(evenly_spaced(whole, 1).windows[0], whole.windows[total // 2])


def test_halves_of_the_documents_part_them(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    corpus = FolderCorpus(evaluation_folder)
    ids = {
        split: [unit.id for unit in PerplexityTask(length=LENGTH, split=split).read(corpus, "sw", tokenizer).units]
        for split in ("all", "first", "second")
    }
    assert ids == {"all": ["sw-0", "sw-1", "sw-2"], "first": ["sw-0", "sw-1"], "second": ["sw-2"]}
    with pytest.raises(MbsError, match=r"evaluation\.split=first, but .*sw\.txt holds one document"):
        PerplexityTask(documents=1, split="first").read(corpus, "sw", tokenizer)


def test_too_few_documents_or_too_little_text_is_refused(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    corpus = FolderCorpus(evaluation_folder)
    assert len(PerplexityTask(documents=2).read(corpus, "en", tokenizer).units) == 2
    with pytest.raises(MbsError, match=r"evaluation\.documents=9, but .*en\.txt holds 3"):
        PerplexityTask(documents=9).read(corpus, "en", tokenizer)
    with pytest.raises(MbsError, match=r"en\.txt does not fill one window of evaluation\.length=4000"):
        PerplexityTask(protocol="paper", length=4000).read(corpus, "en", tokenizer)
