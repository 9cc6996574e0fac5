"""Perplexity equals a plain full-logits computation, no token is lost, and the metrics are the formulas."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CONFIGS, random_model
from torch import nn
from transformers import PreTrainedModel

from mbs.blocks import MemoryBlocks
from mbs.corpora.folder import FolderCorpus
from mbs.errors import MbsError
from mbs.evaluators import perplexity
from mbs.evaluators.perplexity import batches, score_text
from mbs.evaluators.windows import LanguageText, PerplexityTask, Unit
from mbs.metrics import LanguageResult, Scores, compare, low_resource, scores, summarize
from mbs.shares import declare_shares
from mbs.skeleton import Skeleton
from mbs.tokenizer import Tokenizer

LENGTH = 32


def read(folder: Path, tokenizer: Tokenizer, language: str, protocol: str) -> LanguageText:
    return PerplexityTask(protocol=protocol, length=LENGTH).read(FolderCorpus(folder), language, tokenizer)


def plain_nll(model: PreTrainedModel, text: LanguageText) -> np.ndarray:
    """Every window by itself through the whole model, all logits at once."""
    total = np.zeros(len(text.units))
    with torch.no_grad():
        for window, unit in zip(text.windows, text.unit_of_window, strict=True):
            ids = torch.from_numpy(window)
            logits = model(ids[None, :-1], use_cache=False).logits[0].double()
            total[unit] += F.cross_entropy(logits, ids[1:], reduction="sum").item()
    return total


@pytest.mark.parametrize("protocol", ["documents", "paper"])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_nll_equals_full_logits(
    architecture: str, protocol: str, evaluation_folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perplexity, "LOGITS_AT_ONCE", 400 * 7)  # several chunks of 7 tokens
    model = random_model(architecture)
    skeleton = Skeleton(model)
    text = read(evaluation_folder, tokenizer, "sw", protocol)
    assert len({len(window) for window in text.windows}) > 1 or protocol == "paper"
    ours = score_text(skeleton, MemoryBlocks(skeleton), text, batch_tokens=100)
    assert np.allclose(ours, plain_nll(model, text), rtol=1e-5)


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
    skeleton = Skeleton(model)
    text = read(evaluation_folder, bos_tokenizer, "en", "documents")
    assert set(text.context) == {1, 2}
    expected = np.zeros(len(text.units))
    with torch.no_grad():
        for window, context, unit in zip(text.windows, text.context, text.unit_of_window, strict=True):
            logits = model(torch.from_numpy(window)[None], use_cache=False).logits[0].double()
            targets = torch.from_numpy(window[context:])
            expected[unit] += F.cross_entropy(logits[context - 1 : -1], targets, reduction="sum").item()
    assert np.allclose(score_text(skeleton, MemoryBlocks(skeleton), text), expected, rtol=1e-5)


def test_a_perplexity_beyond_numbers_is_refused() -> None:
    with pytest.raises(MbsError, match=r"a perplexity of e\^800"):
        scores(np.array([8000.0, 24000.0]), UNITS)


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


def test_a_score_that_is_not_finite_is_refused(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    model = random_model("llama")
    skeleton = Skeleton(model)
    with torch.no_grad():
        norm = model.get_submodule("model.norm")
        assert isinstance(norm.weight, nn.Parameter)
        norm.weight[0] = float("inf")
    text = read(evaluation_folder, tokenizer, "sw", "documents")
    with pytest.raises(MbsError, match=r"log-probability of sw-0 in sw is not finite"):
        score_text(skeleton, MemoryBlocks(skeleton), text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"protocol": "document"}, "try 'documents'"), ({"documents": 0}, "evaluation.documents=0"),
     ({"documents": True}, "evaluation.documents=True"), ({"length": 1}, "evaluation.length=1")],
)  # fmt: skip
def test_wrong_tasks_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(MbsError, match=words):
        PerplexityTask(**fields)


def test_too_few_documents_or_too_little_text_is_refused(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    corpus = FolderCorpus(evaluation_folder)
    assert len(PerplexityTask(documents=2).read(corpus, "en", tokenizer).units) == 2
    with pytest.raises(MbsError, match=r"evaluation\.documents=9, but .*en\.txt holds 3"):
        PerplexityTask(documents=9).read(corpus, "en", tokenizer)
    with pytest.raises(MbsError, match=r"en\.txt does not fill one window of evaluation\.length=4000"):
        PerplexityTask(protocol="paper", length=4000).read(corpus, "en", tokenizer)


UNITS = (Unit("a", "", 10, 40, 20), Unit("b", "", 30, 60, 30))


def test_scores_and_harm_by_hand() -> None:
    dense, compressed = np.array([10.0, 60.0]), np.array([8.0, 70.0])
    made = scores(dense, UNITS)
    assert made == Scores(math.exp(70 / 40), 70 / (math.log(2) * 100), 40, 100, 2)
    result = compare(dense, compressed, UNITS, 0.5, documents=True)
    assert result.harm == pytest.approx(8 / 40)
    assert result.harm == pytest.approx(math.log(result.compressed.perplexity / result.dense.perplexity))
    assert result.harm_per_document == pytest.approx(4.0)
    assert compare(dense, compressed, UNITS, None, documents=False).harm_per_document is None
    helped = compare(compressed, dense, UNITS, None, documents=True)
    assert helped.harm == pytest.approx(-0.2)


def result_with(harm: float) -> LanguageResult:
    some = Scores(1.0, 1.0, 1, 1, 1)
    return LanguageResult(None, some, some, harm, None)


def test_summary_by_hand() -> None:
    results = {"en": result_with(0.1), "sw": result_with(0.4), "yo": result_with(-0.2)}
    shares = declare_shares({"en": 5, "yo": 1, "sw": 2, "fr": 9})
    summary = summarize(results, shares)
    assert summary.harm_mean == pytest.approx(0.1)
    assert (summary.harm_worst, summary.worst_language) == (0.4, "sw")
    assert summary.low_resource_languages == ("yo",)
    assert summary.harm_low_resource == pytest.approx(-0.2)
    undeclared = summarize(results, None)
    assert (undeclared.harm_low_resource, undeclared.low_resource_languages) == (None, ())
    assert low_resource({"en": 0, "sw": 0, "yo": 0, "fr": 0}, shares) == ("sw", "yo")
