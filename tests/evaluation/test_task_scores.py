"""Scoring tasks: no trace, no mixing of models, no dependence on batches; rows that lm-eval drops are known."""

from __future__ import annotations

import random
from typing import Any, cast

import numpy as np
import pytest
import torch
from benchmark_rows import ROWS, answered, several, text_of, varied
from conftest import random_model

from mbs.engine.blocks import MemoryBlocks
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.tasks.harness import score_tasks

pytestmark = pytest.mark.usefixtures("quiet_imports")


def test_the_batch_size_does_not_matter(tokenizer: Tokenizer) -> None:
    model, texts = random_model("bloom"), several(["xnli", "xcopa"])
    for a, b in zip(answered(model, tokenizer, texts, 16), answered(model, tokenizer, texts, 4096), strict=True):
        assert np.abs(a.loglik - b.loglik).max() < 1e-4


def test_two_models_do_not_share_answers(tokenizer: Tokenizer) -> None:
    texts = several(["xnli"])
    first, second, again = (answered(random_model("bloom", seed), tokenizer, texts)[0].loglik for seed in (0, 1, 0))
    assert np.abs(first - second).max() > 0.1
    assert (first == again).all()


@pytest.mark.guard("mbs/engine/switches.py", "random.setstate(state)", "pass")
@pytest.mark.guard("mbs/engine/switches.py", "with torch.random.fork_rng(devices):", "if True:")
def test_scoring_leaves_no_trace(
    tokenizer: Tokenizer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from lm_eval import evaluator

    original = evaluator.evaluate

    def seeding(*arguments: Any, **named: Any) -> Any:  # as other versions of it do
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        return original(*arguments, **named)

    monkeypatch.setattr(evaluator, "evaluate", seeding)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    skeleton = Skeleton(random_model("bloom"))
    pad, level = tokenizer.hf.pad_token, logging.getLogger("lm_eval").level
    tokenizer.hf.pad_token = None
    texts = several(["xnli", "pawsx", "hellaswag"])
    capfd.readouterr()
    try:
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
        score_tasks(BlockwiseModel(skeleton, MemoryBlocks(skeleton), text_tokenizer=tokenizer), texts)
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])
        assert tokenizer.hf.pad_token is None
    finally:
        tokenizer.hf.pad_token = pad
    assert logging.getLogger("lm_eval").level == level
    assert capfd.readouterr() == ("", "")


def test_a_model_that_gives_no_numbers_is_named_with_the_row(tokenizer: Tokenizer) -> None:
    skeleton = Skeleton(random_model("bloom"))
    with torch.no_grad():
        cast(torch.nn.Embedding, skeleton.model.get_input_embeddings()).weight.fill_(float("nan"))
    with pytest.raises(MbsError, match=r"xnli en: .* row 0 is not finite; .*; try model.dtype=float32"):
        score_tasks(BlockwiseModel(skeleton, MemoryBlocks(skeleton), text_tokenizer=tokenizer), several(["xnli"]))


def test_rows_may_hold_other_fields_of_any_type(tokenizer: Tokenizer) -> None:
    rows = [{**ROWS["xnli"], "id": 1}, {**ROWS["xnli"], "id": "two", "note": [None]}]
    (answers,) = answered(random_model("bloom"), tokenizer, [text_of("xnli", rows=rows)])
    assert len(answers.correct) == 2


def test_rows_that_lm_eval_drops_are_known(tokenizer: Tokenizer) -> None:
    rows = [varied("pawsx", 0), {**varied("pawsx", 1), "sentence2": ""}, varied("pawsx", 2)]
    (answers,) = answered(random_model("bloom"), tokenizer, [text_of("pawsx", rows=rows)])
    assert list(answers.rows) == [0, 2]
