"""XNLI through mbs and through plain lm-eval: the same rows, the same accuracies, and how long each takes.

`python experiments/xnli/check.py MODEL ROWS` where ROWS holds `xnli/<code>.validation.jsonl`.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import torch
import transformers
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

import mbs
from mbs import open_model, open_tokenizer
from mbs.engine.checkpoint import ModelSource
from mbs.evaluation.tasks.harness import Answers, quiet, score_tasks
from mbs.evaluation.tasks.suite import Tasks, TaskText


def plain(folder: Path, texts: list[TaskText], batch: int) -> dict[str, float]:
    """lm-eval's own accuracies per language, its model and its scoring."""
    spec = {
        text.language: {
            **{key: value for key, value in text.spec.items() if not key.startswith(("dataset", "training"))},
            "task": text.language,
            "validation_split": "rows",
            "custom_dataset": lambda rows=text.rows, **_: {"rows": Dataset.from_list(list(rows))},
        }
        for text in texts
    }
    model = HFLM(pretrained=open_model(folder), tokenizer=open_tokenizer(folder).hf, batch_size=batch)
    found = simple_evaluate(
        model, tasks=list(spec.values()), task_manager=TaskManager(include_defaults=False), bootstrap_iters=0
    )
    return {language: found["results"][language]["acc,none"] for language in spec}


def ours(folder: Path, texts: list[TaskText]) -> list[Answers]:
    """The answers through mbs."""
    return score_tasks(mbs.open(folder), texts)


def now() -> tuple[float, float]:
    """Time on the wall and of the processor, in seconds; the second says more where others use the machine too."""
    return time.perf_counter(), time.process_time()


def main() -> None:
    """A row per language; the last line says whether all are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a folder, or embedded:demo")
    parser.add_argument("rows", help="a folder, or embedded:demo for generated items")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16, help="lm-eval's batch size")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    transformers.logging.disable_progress_bar()
    folder = ModelSource(asked.model).folder()
    texts = Tasks("xnli", asked.rows, asked.limit).read()
    clocks = [now()]
    answers = ours(folder, texts)
    clocks.append(now())
    with quiet():
        theirs = plain(folder, texts, asked.batch)
    clocks.append(now())
    print("| language | n | mbs | lm-eval |\n|---|---|---|---|")
    for mine in answers:
        print(f"| {mine.language} | {len(mine.correct)} | {mine.accuracy!r} | {theirs[mine.language]!r} |")
    equal = all(mine.accuracy == theirs[mine.language] for mine in answers)
    spent = [
        f"{after[0] - before[0]:.1f} s ({after[1] - before[1]:.1f} s of processor)"
        for before, after in pairwise(clocks)
    ]
    print(f"\nequal: {equal}; mbs {spent[0]}, lm-eval {spent[1]}; {asked.threads} threads")


if __name__ == "__main__":
    main()
