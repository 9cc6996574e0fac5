"""Answers to tasks through lm-eval: its prompts, its scores, our rows and our model."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbs.engine.model import BlockwiseModel
from mbs.engine.switches import random_state_kept
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.tasks.suite import TaskText

ROW = "mbs_row"
GENERATED_FILTER = "flexible-extract"


@dataclass(frozen=True)
class Answers:
    """What one model answers to a task in one language.

    `rows` `[n]`: the number of each row that was asked (lm-eval drops some). `gold` `[n]`: the number of the right
    choice (-1 where the answer is generated). `loglik` `[n, K]`: ln p of every choice in nats, NaN beyond a row's
    choices, K = 0 for generated answers. `correct` `[n]`: as lm-eval scores it.
    """

    family: str
    language: str
    rows: np.ndarray
    gold: np.ndarray
    loglik: np.ndarray
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of right answers, which is what lm-eval reports."""
        return float(self.correct.mean())

    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of them."""
        return {"rows": self.rows, "gold": self.gold, "loglik": self.loglik, "correct": self.correct}


def score_tasks(model: BlockwiseModel, texts: Sequence[TaskText], batch_tokens: int = 4096) -> list[Answers]:
    """The answers to every task in every language, all in one pass sorted by length; in the order of `texts`."""
    from lm_eval.evaluator import evaluate

    from mbs.evaluation.tasks.scorer import WalkLM

    with quiet(), random_state_kept(), templates_compiled_once(), padding_put_back(model.tokenizer):
        tasks = {_name(text): harness_task(text) for text in texts}
        scorer = WalkLM(model, batch_tokens)
        found = evaluate(scorer, {"tasks": tasks, "groups": {}, "group_map": {}}, bootstrap_iters=0, log_samples=True)
    return [_answers(text, found["samples"][_name(text)]) for text in texts]


def harness_task(text: TaskText) -> Any:
    """lm-eval's task with exactly our rows instead of its data set."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    # No other fields: they may differ in type from row to row, which a column cannot.
    rows = [{**{f: row[f] for f in text.benchmark.fields}, ROW: number} for number, row in enumerate(text.rows)]
    left_out = ("dataset_path", "dataset_name", "dataset_kwargs", "training_split", "fewshot_split", "fewshot_config",
                "tag", "validation_split", "test_split", "should_decontaminate",
                "doc_to_decontamination_query")  # fmt: skip
    spec = {key: value for key, value in text.spec.items() if key not in left_out}
    data = {"rows": Dataset.from_list(rows)}
    return ConfigurableTask(
        config={**spec, "task": _name(text), "test_split": "rows", "custom_dataset": lambda **_: data, "num_fewshot": 0}
    )


def _name(text: TaskText) -> str:
    return f"{text.family}_{text.language}"


def _answers(text: TaskText, samples: Sequence[Mapping[str, Any]]) -> Answers:
    generated = text.benchmark.choices == 0
    if generated:
        samples = [sample for sample in samples if sample["filter"] == GENERATED_FILTER]
    samples = sorted(samples, key=lambda sample: sample["doc"][ROW])
    rows = np.asarray([sample["doc"][ROW] for sample in samples], dtype=np.int64)
    correct = np.asarray([sample["exact_match" if generated else "acc"] for sample in samples], dtype=np.float64) == 1
    if generated:
        nothing = np.zeros((len(rows), 0))
        return Answers(text.family, text.language, rows, np.full(len(rows), -1), nothing, correct)
    logliks = [[response[0][0] for response in sample["resps"]] for sample in samples]
    for row, values in zip(rows, logliks, strict=True):
        if not np.isfinite(values).all():
            raise MbsError(
                f"{text.family} {text.language}: the model's log-probability of an answer to row {text.ids[row]} is not"
                " finite",
                "finite logits",
                "model.dtype=float32, or less sparsity",
            )
    loglik = np.full((len(rows), max(map(len, logliks))), np.nan)
    for number, values in enumerate(logliks):
        loglik[number, : len(values)] = values
    gold = np.asarray([text.benchmark.gold(text.rows[row]) for row in rows], dtype=np.int64)
    if not np.array_equal(np.nanargmax(loglik, axis=1) == gold, correct):
        raise MbsError(
            f"{_name(text)}: the answers that lm-eval counts as right are not the rows' labels", "a known task"
        )
    return Answers(text.family, text.language, rows, gold, loglik, correct)


@contextlib.contextmanager
def padding_put_back(tokenizer: Tokenizer) -> Iterator[None]:
    """lm-eval gives a tokenizer without a padding token one; afterwards it is as it was."""
    token = tokenizer.hf.pad_token
    try:
        yield
    finally:
        tokenizer.hf.pad_token = token


@contextlib.contextmanager
def templates_compiled_once() -> Iterator[None]:
    """lm-eval compiles a task's template anew for every row and use, which takes longer than a small model does."""
    from lm_eval.utils import env

    env.from_string = functools.cache(env.from_string)
    try:
        yield
    finally:
        del env.from_string


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, log lines or progress bars of lm-eval and datasets; all as before afterwards."""
    from datasets.utils import logging as datasets_logging

    loggers = [logging.getLogger(name) for name in ("lm_eval", "lm-eval")]
    levels = [logger.level for logger in loggers]
    bars = datasets_logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    datasets_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            datasets_logging.enable_progress_bar()
