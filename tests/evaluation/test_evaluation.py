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
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import PreTrainedModel

from mbs.data.corpora.folder import FolderCorpus
from mbs.data.shares import declare_shares
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation import perplexity
from mbs.evaluation.parts import joined, parts
from mbs.evaluation.perplexity import (
    TextScores,
    batches,
    measure_text,
    ranks,
    sampled_tokens,
    score_text,
    unit_of_sampled,
)
from mbs.evaluation.windows import LanguageText, PerplexityTask, Unit, evenly_spaced
from mbs.metrics import LanguageResult, Scores, compare, low_resource, scores, summarize

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
    monkeypatch.setattr(perplexity, "LOGITS_AT_ONCE", 0)
    monkeypatch.setattr(perplexity, "TOKENS_AT_ONCE", 7)  # several chunks of 7 tokens
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
     ({"documents": True}, "evaluation.documents=True"), ({"length": 1}, "evaluation.length=1"),
     ({"windows": 0}, "evaluation.windows=0"), ({"split": "half"}, "evaluation.split"),
     ({"divergence": -1}, "evaluation.divergence=-1")],
)  # fmt: skip
def test_wrong_tasks_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(MbsError, match=words):
        PerplexityTask(**fields)


def plain_distributions(model: PreTrainedModel, text: LanguageText) -> torch.Tensor:
    """Log-probabilities at every scored token, in the order of the windows."""
    with torch.no_grad():
        return torch.cat([
            model(torch.from_numpy(window)[None], use_cache=False).logits[0, context - 1 : -1].double().log_softmax(-1)
            for window, context in zip(text.windows, text.context, strict=True)
        ])  # fmt: skip


@pytest.mark.parametrize("sample", [10, 10_000])
def test_divergence_and_confidence_equal_full_distributions(
    evaluation_folder: Path, tokenizer: Tokenizer, sample: int
) -> None:
    text = read(evaluation_folder, tokenizer, "sw", "documents")
    dense_model, other_model = random_model("bloom"), random_model("bloom")
    with torch.no_grad():  # the blocks differ, the head does not
        other_model.get_submodule("transformer.h.1.mlp.dense_4h_to_h").weight.mul_(-5)  # type: ignore[operator]
    made: dict[str, TextScores] = {}
    for name, model in (("dense", dense_model), ("other", other_model)):
        skeleton = Skeleton(model)
        states = made["dense"].states if made else None
        made[name] = measure_text(skeleton, MemoryBlocks(skeleton), text, 100, sampled_tokens(text, sample), states)
    ln_p, ln_q = plain_distributions(dense_model, text), plain_distributions(other_model, text)
    every = (ln_p.exp() * (ln_p - ln_q)).sum(-1).numpy()
    tokens = sampled_tokens(text, sample)
    assert len(tokens) == len(set(tokens.tolist())) == min(sample, text.tokens)
    assert np.allclose(made["other"].divergence, every[tokens], rtol=1e-3, atol=1e-6)
    assert every.max() > 1e-3
    owners = np.repeat(text.unit_of_window, [size[0] for size in text.sizes])
    assert unit_of_sampled(text, sample).tolist() == owners[tokens].tolist()
    top, likeliest = ln_q.exp().max(-1)
    targets = np.concatenate([w[c:] for w, c in zip(text.windows, text.context, strict=True)])
    number, confidence, right = made["other"].confidence
    assert number.sum() == text.tokens
    assert confidence.sum() == pytest.approx(top.sum().item(), rel=1e-5)
    assert right.sum() == (likeliest.numpy() == targets).sum()
    assert np.all(confidence <= number * (np.arange(1000) + 1) / 1000 + 1e-6)
    same = measure_text(Skeleton(dense_model), MemoryBlocks(Skeleton(dense_model)), text, 100, tokens,
                        made["dense"].states)  # fmt: skip
    assert np.abs(same.divergence).max() < 1e-6


@pytest.mark.parametrize("protocol", ["documents", "paper"])
@pytest.mark.parametrize("sample", [0, 7, 40, 10_000])
def test_parts_are_the_whole_and_do_not_depend_on_what_follows(
    evaluation_folder: Path, tokenizer: Tokenizer, protocol: str, sample: int
) -> None:
    text = read(evaluation_folder, tokenizer, "sw", protocol)
    skeleton = Skeleton(random_model("bloom"))
    blocks = MemoryBlocks(skeleton)
    held = parts(text, 16, sample)
    assert len(held) > 1
    scores = [measure_text(skeleton, blocks, part.text, 100, part.sampled) for part in held]
    whole, tokens = joined(held, scores), sampled_tokens(text, sample)
    at_once = measure_text(skeleton, blocks, text, 100, tokens)
    assert np.allclose(whole.nll, at_once.nll, rtol=1e-6)
    assert whole.confidence[0].sum() == text.tokens
    assert whole.states.shape[0] == len(tokens)
    if len(tokens):
        assert np.allclose(whole.states, at_once.states, atol=1e-5)
    for count in range(1, len(text.units)):
        rows = sum(owner < count for owner in text.unit_of_window)
        shorter = LanguageText(text.language, text.windows[:rows], text.context[:rows], text.unit_of_window[:rows],
                               text.units[:count], text.sizes[:rows])  # fmt: skip
        for before, now in zip(parts(shorter, 16, sample)[:-1], held, strict=False):
            assert before.text.content_hash == now.text.content_hash
            assert np.array_equal(before.sampled, now.sampled)


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
