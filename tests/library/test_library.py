"""The library in a few functions: what it gives, and that it leaves the caller's process as it was."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_model, wrapped
from tokenizers import Tokenizer as Backend
from transformers import AutoModelForCausalLM

import mbs
from mbs.engine.matmul import PLAIN
from mbs.engine.tokenizer import Tokenizer


def state() -> tuple[Any, ...]:
    """Random states, threads and flags of this process."""
    tiny = torch.full((1,), 1e-39).mul_(1.0)
    return (
        random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),  # type: ignore[index]
        torch.get_num_threads(), torch.is_grad_enabled(), float(tiny) == 0,
        torch.backends.mkldnn.matmul.fp32_precision,  # type: ignore[attr-defined]
    )  # fmt: skip


@pytest.mark.guard("mbs/engine/walk.py", "with torch.no_grad(), evaluating(model.hf):", "if model.hf.train():")
def test_open_sample_compress_measure_and_save(
    checkpoint: Path, corpus_folder: Path, evaluation_folder: Path, tmp_path: Path
) -> None:
    before = state()
    model = mbs.open(checkpoint)
    text, news = mbs.FolderCorpus(corpus_folder), mbs.FolderCorpus(evaluation_folder)
    calibration = mbs.sample(model, text, {"en": 8, "sw": 8}, length=24, seed=0)
    assert calibration.tokens.shape == (16, 24)
    dense = mbs.perplexity(model, news, "sw")
    reports = mbs.compress(model, calibration, mbs.Wanda(), mbs.Unstructured(0.5))
    assert all(report.sparsity == pytest.approx(0.5) for report in reports)
    compressed = mbs.perplexity(model, news, "sw")
    assert compressed != dense
    model.save(tmp_path / "saved")
    assert state() == before
    again = mbs.open(tmp_path / "saved", numerics=PLAIN)
    assert mbs.perplexity(again, news, "sw") == pytest.approx(compressed, rel=1e-6)
    plain: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    name = f"{reports[0].name}.weight"
    assert torch.equal(plain.state_dict()[name], model.hf.state_dict()[name])


def test_a_model_in_memory_keeps_its_mode_and_gradients(backend: Backend, corpus_folder: Path) -> None:
    hf = random_model("gpt2")  # GPT-2 has dropout
    hf.train()
    hf.transformer.h[1].eval()  # type: ignore[union-attr, index]
    modes = [module.training for module in hf.modules()]
    model = mbs.open(hf, wrapped(backend))
    calibration = mbs.sample(model, mbs.FolderCorpus(corpus_folder), {"en": 2}, length=16)
    mbs.compress(model, calibration, mbs.SparseGPT(), mbs.NOfM(2, 4))
    assert mbs.perplexity(model, "ba ke ti mo ru") == mbs.perplexity(model, "ba ke ti mo ru") > 1
    assert [module.training for module in hf.modules()] == modes
    assert all(parameter.requires_grad for parameter in hf.parameters())
    assert not any("forward" in vars(module) for module in hf.modules())


def test_perplexity_is_that_of_a_plain_forward_pass(backend: Backend) -> None:
    hf, tokenizer = random_model("bloom"), Tokenizer(wrapped(backend))
    texts = ["ba ke ti mo ru san del", "ki wa mu ngo zi"]
    nll, tokens = 0.0, 0
    for ids in tokenizer.encode(texts):
        whole = torch.tensor([[tokenizer.separator, *ids.tolist()]])
        with torch.no_grad():
            logits = hf(whole).logits[0, :-1].double()
        nll += float(torch.nn.functional.cross_entropy(logits, whole[0, 1:], reduction="sum"))
        tokens += len(ids)
    assert mbs.perplexity(mbs.open(hf, wrapped(backend)), texts) == pytest.approx(math.exp(nll / tokens), rel=1e-6)


def test_what_was_made_by_hand_in_release_0_1_0_works_as_it_did(checkpoint: Path, corpus_folder: Path) -> None:
    tokenizer = mbs.open_tokenizer(checkpoint)
    calibration = mbs.sample_segments(mbs.FolderCorpus(corpus_folder), {"en": 4}, tokenizer, length=24, seed=0)
    skeleton = mbs.Skeleton(mbs.open_model(checkpoint))
    blocks = mbs.MemoryBlocks(skeleton)
    by_hand = mbs.compress_model(skeleton, blocks, calibration, mbs.Wanda(), mbs.Unstructured(0.5), batch_tokens=48)
    model = mbs.open(checkpoint, numerics=PLAIN)
    reports = mbs.compress(model, calibration, mbs.Wanda(), mbs.Unstructured(0.5), mbs.CompressOptions(batch_tokens=48))
    assert [report.zeros for report in by_hand] == [report.zeros for report in reports]
    text = mbs.PerplexityTask(length=32).read(mbs.FolderCorpus(corpus_folder), "sw", tokenizer)
    nll = mbs.score_text(skeleton, blocks, text)
    assert math.exp(nll.sum() / text.tokens) == pytest.approx(mbs.perplexity(model, text))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model, corpus: mbs.perplexity(model, corpus), "a corpus without a language; expected one of en"),
        (lambda model, corpus: mbs.perplexity(model, ""), "the text has no token to score"),
        (lambda model, corpus: mbs.perplexity(mbs.open(model.hf), "ba"), "this model has no tokenizer"),
        (lambda model, corpus: mbs.open("nowhere"), "names no folder: nowhere"),
    ],
)
def test_mistakes_are_one_line(call: Any, words: str, checkpoint: Path, corpus_folder: Path) -> None:
    with pytest.raises(mbs.MbsError, match=words):
        call(mbs.open(checkpoint, numerics=PLAIN), mbs.FolderCorpus(corpus_folder))
