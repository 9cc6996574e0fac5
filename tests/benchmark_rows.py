"""Rows of every benchmark in tests: one right row each, and varied ones in invented words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conftest import invented

from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.tasks.benchmarks import BENCHMARKS
from mbs.evaluation.tasks.harness import Answers, score_tasks
from mbs.evaluation.tasks.suite import TaskText

CHOICES = {"text": ["one", "two", "three"], "label": ["A", "B", "C"]}

# One right row of every benchmark in its own fields, as on the hub.
ROWS: dict[str, dict[str, Any]] = {
    "xnli": {"premise": "The cat sat.", "hypothesis": "A cat was there.", "label": 0},
    "xcopa": {"premise": "It rained.", "choice1": "We got wet.", "choice2": "We dried.", "question": "effect",
              "label": 0, "idx": 3, "changed": False},
    "pawsx": {"id": 1, "sentence1": "He ( the king ) came .", "sentence2": "The king came .", "label": 1},
    "xstorycloze": {**{f"input_sentence_{n}": f"Part {n}." for n in (1, 2, 3, 4)}, "sentence_quiz1": "Good end.",
                    "sentence_quiz2": "Bad end.", "answer_right_ending": 2},
    "xwinograd": {"sentence": "Ann saw Bea because _ looked.", "option1": "Ann", "option2": "Bea", "answer": "1"},
    "belebele": {"flores_passage": "A passage.", "question": "What?", "mc_answer1": "a", "mc_answer2": "b",
                 "mc_answer3": "c", "mc_answer4": "d", "correct_answer_num": "3"},
    "mgsm": {"question": "What is 2 + 2?", "answer": None, "answer_number": 4},
    "boolq": {"passage": "Water is wet.", "question": "is water wet", "label": 1},
    "rte": {"sentence1": "It is hot.", "sentence2": "It is warm.", "label": 0},
    "hellaswag": {"activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "", "endings": ["a", "b", "c", "d"],
                  "label": "2"},
    "winogrande": {"sentence": "Ann saw Bea because _ looked.", "option1": "Ann", "option2": "Bea", "answer": "2"},
    "arc_easy": {"question": "Which?", "choices": CHOICES, "answerKey": "B"},
    "arc_challenge": {"question": "Which?", "choices": CHOICES, "answerKey": "C"},
    "openbookqa": {"question_stem": "The sun is", "choices": CHOICES, "answerKey": "A"},
    "copa": {"premise": "It rained.", "choice1": "We got wet.", "choice2": "We dried.", "question": "cause",
             "label": 1},
}  # fmt: skip
GOLD = {"xnli": 0, "xcopa": 0, "pawsx": 1, "xstorycloze": 1, "xwinograd": 0, "belebele": 2, "mgsm": -1, "boolq": 1,
        "rte": 0, "hellaswag": 2, "winogrande": 1, "arc_easy": 1, "arc_challenge": 2, "openbookqa": 0,
        "copa": 1}  # fmt: skip


def write(folder: Path, name: str, rows: Sequence[object]) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def varied(family: str, number: int, language: str = "en") -> dict[str, Any]:
    """A row like the one above in invented words, its label in turn."""
    benchmark, row = BENCHMARKS[family], dict(ROWS[family])
    for position, (field, check) in enumerate(benchmark.fields.items()):
        words = invented(language, 2 + (number + position) % 7, seed=100 * number + position)
        if isinstance(check, tuple):
            row[field] = check[number % len(check)]
        elif "_" in str(row[field]):
            row[field] = f"{words} _ {words}."
        elif isinstance(row[field], str) and field not in ("answerKey", "ctx_b"):
            row[field] = f"{words}."
    if family == "xcopa":
        row["question"] = ("cause", "effect")[number // 2 % 2]
    if "choices" in row:
        size = 3 + number % 3
        labels = list("ABCDE")[:size]
        texts = [invented(language, 1 + k, seed=number + 7 * k) for k in range(size)]
        row |= {"choices": {"text": texts, "label": labels}, "answerKey": labels[number % size]}
    return row


def text_of(family: str, language: str = "en", rows: Sequence[dict[str, Any]] | None = None) -> TaskText:
    return TaskText(BENCHMARKS[family], language, "made", tuple(rows or [ROWS[family]]))


def answered(model: Any, tokenizer: Tokenizer, texts: Sequence[TaskText], batch_tokens: int = 4096) -> list[Answers]:
    return score_tasks(BlockwiseModel.of(model, tokenizer), texts, batch_tokens)


def several(families: Sequence[str], count: int = 7) -> list[TaskText]:
    languages = [next(code for code in ("en", "sw") if code in BENCHMARKS[family].yamls) for family in families]
    rows = [[varied(family, number) for number in range(count)] for family in families]
    return [text_of(*described) for described in zip(families, languages, rows, strict=True)]
