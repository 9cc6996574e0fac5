"""Measures one model on everything a run evaluates: text per language, tasks, continuations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from mbs.blocks import Blocks
from mbs.continuations import NEW_TOKENS, Continuation, continuation, write
from mbs.evaluators.perplexity import TextScores, measure_text
from mbs.evaluators.windows import LanguageText, evenly_spaced
from mbs.inputs import Inputs
from mbs.similarity import Nearness, language_vectors, similarity_to
from mbs.skeleton import Skeleton
from mbs.store import digest, held, keep, stage
from mbs.tasks.harness import Answers, score_tasks
from mbs.tasks.suite import TaskText
from mbs.tokenizer import Array

SIMILARITY_WINDOWS = 64  # per language, evenly spaced


@dataclass(frozen=True)
class Measured:
    """What one model makes of each language's text, of each task (in the order of the inputs), of each prompt.

    `similarity`, of the dense model alone: how near each language's text is to the calibration set.
    """

    texts: Mapping[str, TextScores]
    answers: Sequence[Answers]
    written: Mapping[str, Sequence[Continuation]]
    similarity: Mapping[str, Nearness] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """How a model is measured; `what` names all but text and rows that decides the numbers of the dense model."""

    skeleton: Skeleton
    blocks: Blocks
    inputs: Inputs
    batch_tokens: int
    divergence: int
    store: Path
    what: Mapping[str, object]

    def dense(self) -> Measured:
        """The model before compression: each language's text, and each task, is measured once and kept."""
        texts = {}
        for text in self.inputs.texts:
            key = {**self.what, "text": text.content_hash, "units": digest([unit.id for unit in text.units]),
                   "batch_tokens": self.batch_tokens, "divergence": self.divergence}  # fmt: skip
            made = stage(self.store, "dense", key, lambda: self._text(text).arrays())  # noqa: B023 - called at once
            texts[text.language] = TextScores(**made)
        return Measured(texts, self._kept_answers(), self._write(kept=True), self._similarity())

    def compressed(self, dense: Measured) -> Measured:
        """The model as it is now, and how far it is from what the dense one made of the same tokens."""
        texts = {text.language: self._text(text, dense.texts[text.language].states) for text in self.inputs.texts}
        return Measured(texts, self._answer(self.inputs.tasks), self._write(kept=False))

    def _similarity(self) -> dict[str, Nearness]:
        """From the evaluated text; languages of the mix that are not evaluated enter with their calibration text."""
        calibration = self.inputs.calibration
        if calibration is None or not self.inputs.texts:
            return {}
        rows: dict[str, Sequence[Array]] = {
            language: [calibration.tokens[row] for row, code in enumerate(calibration.languages) if code == language]
            for language in calibration.counts
        }
        rows |= {text.language: evenly_spaced(text, SIMILARITY_WINDOWS).windows for text in self.inputs.texts}
        near = similarity_to(language_vectors(self.skeleton, rows, self.batch_tokens), calibration.counts)
        return {text.language: near[text.language] for text in self.inputs.texts}

    def _text(self, text: LanguageText, dense_states: np.ndarray | None = None) -> TextScores:
        return measure_text(self.skeleton, self.blocks, text, self.batch_tokens, self.divergence, dense_states)

    def _answer(self, tasks: Sequence[TaskText]) -> list[Answers]:
        if not tasks:
            return []
        return score_tasks(self.skeleton, self.blocks, self.inputs.tokenizer, tasks, self.batch_tokens)

    def _kept_answers(self) -> list[Answers]:
        """One pass over all tasks and languages that are not kept yet."""
        keys = [
            {**self.what, "rows": task.content_hash, "task": task.spec_digest, "batch_tokens": self.batch_tokens}
            for task in self.inputs.tasks
        ]
        found = [held(self.store, "answers", key) for key in keys]
        missing = [number for number, arrays in enumerate(found) if arrays is None]
        answers = self._answer([self.inputs.tasks[number] for number in missing])
        for number, made in zip(missing, answers, strict=True):
            found[number] = keep(self.store, "answers", keys[number], made.arrays())
        return [
            Answers(task.family, task.language, **arrays)
            for task, arrays in zip(self.inputs.tasks, found, strict=True)
            if arrays is not None
        ]

    def _write(self, kept: bool) -> dict[str, list[Continuation]]:
        """How the model goes on from every prompt, all languages at once."""
        tokenizer = self.inputs.tokenizer
        every = [prompt for prompts in self.inputs.prompts.values() for prompt in prompts]

        def made() -> dict[str, np.ndarray]:
            ids = np.full((len(every), NEW_TOKENS), -1, dtype=np.int64)
            written = write(self.skeleton.model, tokenizer, every, NEW_TOKENS, self.batch_tokens)
            for row, one in zip(ids, written, strict=True):
                row[: len(one.ids)] = one.ids
            return {"ids": ids}

        if not every:
            return {}
        key = {**self.what, "prompts": [digest(prompt.ids.tolist()) for prompt in every], "new_tokens": NEW_TOKENS}
        arrays = stage(self.store, "continuations", key, made) if kept else made()
        rows = iter(arrays["ids"])
        return {
            language: [continuation(row[row >= 0], tokenizer) for row in islice(rows, len(prompts))]
            for language, prompts in self.inputs.prompts.items()
        }
