"""Tasks give the same numbers as plain lm-eval."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_rows import answered, several, text_of, varied
from conftest import invented, random_model, shared

from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.tasks.benchmarks import BENCHMARKS
from mbs.evaluation.tasks.harness import quiet
from mbs.evaluation.tasks.suite import Tasks, TaskText, load_spec

pytestmark = pytest.mark.usefixtures("quiet_imports")


def plainly(model: Any, tokenizer: Tokenizer, texts: Sequence[TaskText]) -> list[dict[str, Any]]:
    """The same by lm-eval's own front door and its own model; one call per task."""
    import lm_eval
    from datasets import Dataset
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    found = []
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=2)
        for text in texts:
            rows = [{field: row[field] for field in text.benchmark.fields} for row in text.rows]
            data = {"validation": Dataset.from_list(rows)}
            spec = {**load_spec(text.benchmark, text.language), "task": text.family, "training_split": None,
                    "validation_split": "validation", "test_split": None, "fewshot_split": None,
                    "custom_dataset": lambda data=data, **_: data}  # fmt: skip
            spec.pop("tag", None)
            result = lm_eval.simple_evaluate(
                model=lm, tasks=[spec], task_manager=TaskManager(include_defaults=False), num_fewshot=0,
                bootstrap_iters=0,
            )  # fmt: skip
            samples = sorted(result["samples"][text.family], key=lambda sample: int(sample["doc_id"]))
            found.append({"results": result["results"][text.family], "samples": samples})
    return found


@pytest.mark.parametrize(("architecture", "with_start"), [("bloom", False), ("llama", True)])
def test_every_choice_scores_as_in_plain_lm_eval(
    architecture: str, with_start: bool, tokenizer: Tokenizer, bos_tokenizer: Tokenizer
) -> None:
    model, used = random_model(architecture), bos_tokenizer if with_start else tokenizer
    texts = several([family for family, benchmark in BENCHMARKS.items() if benchmark.choices])
    for text, mine, theirs in zip(texts, answered(model, used, texts, 200), plainly(model, used, texts), strict=True):
        assert mine.accuracy == theirs["results"]["acc,none"], text.family
        for number, sample in enumerate(theirs["samples"]):
            values = [response[0] for response in sample["filtered_resps"]]
            known = mine.loglik[number][: len(values)]
            assert np.abs(known - values).max() < 1e-4, text.family
            assert np.isnan(mine.loglik[number][len(values) :]).all()
            assert mine.correct[number] == (sample["acc"] == 1.0)


def test_generated_answers_score_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    model, texts = random_model("bloom"), several(["mgsm"], 2)
    (mine,), (theirs,) = answered(model, tokenizer, texts), plainly(model, tokenizer, texts)
    assert mine.accuracy == theirs["results"]["exact_match,flexible-extract"]
    assert mine.loglik.shape == (2, 0)
    assert list(mine.gold) == [-1, -1]


def test_what_is_greedy_is_found(tokenizer: Tokenizer) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from mbs.evaluation.tasks.scorer import WalkLM

    model = random_model("bloom")
    context = [int(token) for token in tokenizer.encode(["ba ke"])[0]]
    with torch.no_grad():
        likeliest = int(model(torch.tensor([context])).logits[0, -1].argmax())
    with quiet():
        ours = WalkLM(BlockwiseModel.of(model, tokenizer), 64)
        plain = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=1)
        requests = [(("a", "b"), context, [token]) for token in (likeliest, (likeliest + 1) % 400)]
        mine = ours._loglikelihood_tokens(requests)
        theirs = plain._loglikelihood_tokens(requests, disable_tqdm=True)
        asked = [Instance("loglikelihood", {}, ("", "ba ke ti"), 0), Instance("loglikelihood", {}, ("ba ", "ke"), 0)]
        pairs = zip(ours.loglikelihood(asked), plain.loglikelihood(asked, disable_tqdm=True), strict=True)
    assert [greedy for _, greedy in mine] == [greedy for _, greedy in theirs]
    assert [greedy for _, greedy in mine][:2] == [True, False]
    both = [*pairs, *zip(mine, theirs, strict=True)]
    assert [a[0] for a, _ in both] == pytest.approx([b[0] for _, b in both], abs=1e-4)


def test_the_same_tokens_divided_elsewhere_are_other_questions(tokenizer: Tokenizer) -> None:
    """lm-eval 0.4.13 mixes these up in its one pass for answers of a single token; asked one by one it does not."""
    from lm_eval.models.huggingface import HFLM

    from mbs.evaluation.tasks.scorer import WalkLM

    model = random_model("bloom")
    tokens = [int(token) for token in tokenizer.encode(["ba ke ti mo"])[0]]
    requests = [(("a", "b"), tokens[:cut], tokens[cut:]) for cut in range(1, len(tokens))]
    with quiet():
        mine = WalkLM(BlockwiseModel.of(model, tokenizer), 64)._loglikelihood_tokens(requests)
        plain = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=1)
        theirs = [plain._loglikelihood_tokens([request], disable_tqdm=True)[0] for request in requests]
    assert np.abs(np.array(mine)[:, 0] - np.array(theirs)[:, 0]).max() < 1e-4


def test_what_is_too_long_loses_its_beginning_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    model = random_model("gpt2")  # 128 positions
    rows = [varied("boolq", number) | {"passage": invented("fr", 90, number)} for number in range(3)]
    texts = [text_of("boolq", "en", rows)]
    assert all(len(ids) > 128 for ids in tokenizer.encode([row["passage"] for row in rows]))
    (mine,), (theirs,) = answered(model, tokenizer, texts), plainly(model, tokenizer, texts)
    known = [[response[0] for response in sample["filtered_resps"]] for sample in theirs["samples"]]
    assert np.abs(mine.loglik - known).max() < 1e-4


def test_real_rows_of_every_task_score_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    folder = shared("data")
    if folder is None:
        pytest.skip("MBS_SHARED is not set")
    texts = Tasks(["xcopa", "pawsx", "xwinograd"], str(folder), limit=4).read(("en", "fr", "sw", "zh-Hans", "pt"))
    model = random_model("bloom")
    for mine, theirs in zip(answered(model, tokenizer, texts), plainly(model, tokenizer, texts), strict=True):
        assert mine.accuracy == theirs["results"]["acc,none"]
