"""Perplexity equals a plain full-logits computation, in parts as in the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CONFIGS, random_model
from torch import nn
from transformers import PreTrainedModel
from windowed import read

from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation import perplexity
from mbs.evaluation.parts import joined, parts
from mbs.evaluation.perplexity import TextScores, measure_text, sampled_tokens, unit_of_sampled
from mbs.evaluation.windows import LanguageText


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
    text = read(evaluation_folder, tokenizer, "sw", protocol)
    assert len({len(window) for window in text.windows}) > 1 or protocol == "paper"
    ours = measure_text(BlockwiseModel.of(model), text, batch_tokens=100).nll
    assert np.allclose(ours, plain_nll(model, text), rtol=1e-5)


def test_a_score_that_is_not_finite_is_refused(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    model = random_model("llama")
    blockwise = BlockwiseModel.of(model)
    with torch.no_grad():
        norm = model.get_submodule("model.norm")
        assert isinstance(norm.weight, nn.Parameter)
        norm.weight[0] = float("inf")
    text = read(evaluation_folder, tokenizer, "sw", "documents")
    with pytest.raises(MbsError, match=r"log-probability of sw-0 in sw is not finite"):
        measure_text(blockwise, text)


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
        states = made["dense"].states if made else None
        made[name] = measure_text(BlockwiseModel.of(model), text, 100, sampled_tokens(text, sample), states)
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
    same = measure_text(BlockwiseModel.of(dense_model), text, 100, tokens, made["dense"].states)
    assert np.abs(same.divergence).max() < 1e-6


@pytest.mark.parametrize("protocol", ["documents", "paper"])
@pytest.mark.parametrize("sample", [0, 7, 40, 10_000])
def test_parts_are_the_whole_and_do_not_depend_on_what_follows(
    evaluation_folder: Path, tokenizer: Tokenizer, protocol: str, sample: int
) -> None:
    text = read(evaluation_folder, tokenizer, "sw", protocol)
    model = BlockwiseModel.of(random_model("bloom"))
    held = parts(text, 16, sample)
    assert len(held) > 1
    scores = [measure_text(model, part.text, 100, part.sampled) for part in held]
    whole, tokens = joined(held, scores), sampled_tokens(text, sample)
    at_once = measure_text(model, text, 100, tokens)
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
