"""Measures one model on everything a run evaluates: text per language, tasks, continuations.

Each part of a text, each task in each language, all continuations together, and how near the languages are to the mix
are stages of their own: made once, whatever else the run measures, so that what is added later is all that is scored
then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Array
from mbs.evaluation.continuations import NEW_TOKENS, Continuation, Prompt, continuation, write
from mbs.evaluation.parts import Part, joined, parts
from mbs.evaluation.perplexity import TextScores, measure_text
from mbs.evaluation.similarity import Nearness, language_vectors, similarity_to
from mbs.evaluation.tasks.harness import Answers, score_tasks
from mbs.evaluation.tasks.suite import TaskText
from mbs.evaluation.windows import LanguageText, evenly_spaced
from mbs.run.context import RunContext
from mbs.run.inputs import Inputs
from mbs.storage.cache import Arrays
from mbs.storage.digests import digest

SIMILARITY_WINDOWS = 64  # per language, evenly spaced


@dataclass(frozen=True)
class Measured:
    """What one model makes of each language's text, of each task (in the order of the inputs), of each prompt.

    `parts` holds the scores of the parts of each text. `similarity`, of the dense model alone: how near each language's
    text is to the calibration set.
    """

    texts: Mapping[str, TextScores]
    answers: Sequence[Answers]
    written: Mapping[str, Sequence[Continuation]]
    parts: Mapping[str, Sequence[TextScores]]
    similarity: Mapping[str, Nearness] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """The model that is measured: its name in the store, all that decides its numbers, and what prepares it.

    `prepare` is called before anything is measured that is not in the store.
    """

    name: str
    decides: Mapping[str, object]
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Measurement:
    """Measures a model on everything that a run evaluates, through the run's store."""

    run: RunContext
    model: BlockwiseModel
    inputs: Inputs

    @property
    def batch_tokens(self) -> int:
        """Tokens per forward pass."""
        return self.run.settings.batch_tokens

    def dense(self, subject: Subject) -> Measured:
        """The model before compression."""
        return self._measured(subject, None, self._similarity(subject))

    def compressed(self, subject: Subject, dense: Measured) -> Measured:
        """The compressed model, and how far it is from what the dense one made of the same tokens."""
        return self._measured(subject, dense, {})

    def lacks(self, subject: Subject) -> bool:
        """Whether anything of it has not been measured yet."""
        return any(not self.run.store.has(f"{subject.name}-{kind}", key) for kind, key in self._every_key(subject))

    def forget(self, subject: Subject) -> None:
        """Measure it anew, whatever the store holds."""
        for kind, key in self._every_key(subject):
            self.run.store.drop(f"{subject.name}-{kind}", key)

    def _every_key(self, subject: Subject) -> Iterator[tuple[str, dict[str, object]]]:
        for held in self._parts.values():
            yield from (("text", self._text_key(subject, part)) for part in held)
        yield from (("answers", self._task_key(subject, task)) for task in self.inputs.tasks)
        if self._prompts:
            yield "continuations", self._written_key(subject)

    def _measured(self, subject: Subject, dense: Measured | None, similarity: Mapping[str, Nearness]) -> Measured:
        scored = {text.language: self._text(subject, text, dense) for text in self.inputs.texts}
        return Measured(
            {code: joined(self._parts[code], held) for code, held in scored.items()},
            [self._answer(subject, task) for task in self.inputs.tasks],
            self._write(subject),
            scored,
            similarity,
        )

    @cached_property
    def _parts(self) -> dict[str, list[Part]]:
        return {
            text.language: parts(text, self.batch_tokens, self.run.settings.task.divergence)
            for text in self.inputs.texts
        }

    @property
    def _prompts(self) -> list[Prompt]:
        return [prompt for prompts in self.inputs.prompts.values() for prompt in prompts]

    def _stage(
        self, subject: Subject, kind: str, key: Mapping[str, object], language: str, make: Callable[[], Arrays]
    ) -> Arrays:
        def made() -> Arrays:
            subject.prepare()
            arrays = make()
            self.run.log.event(event="scored", model=subject.name, kind=kind, language=language)
            return arrays

        return self.run.store.stage(f"{subject.name}-{kind}", key, made)

    def _text_key(self, subject: Subject, part: Part) -> dict[str, object]:
        units = digest([unit.id for unit in part.text.units])
        return {**subject.decides, "text": part.text.content_hash, "units": units,
                "batch_tokens": self.batch_tokens, "sampled": digest(part.sampled.tolist())}  # fmt: skip

    def _text(self, subject: Subject, text: LanguageText, dense: Measured | None) -> list[TextScores]:
        found = []
        for number, part in enumerate(self._parts[text.language]):
            states = dense.parts[text.language][number].states if dense else None

            def make(part: Part = part, states: np.ndarray | None = states) -> Arrays:
                scores = measure_text(self.model, part.text, self.batch_tokens, part.sampled, states)
                return scores.arrays()

            made = self._stage(subject, "text", self._text_key(subject, part), text.language, make)
            found.append(TextScores(**made))
        return found

    def _task_key(self, subject: Subject, task: TaskText) -> dict[str, object]:
        return {**subject.decides, "rows": task.content_hash, "task": task.spec_digest,
                "batch_tokens": self.batch_tokens}  # fmt: skip

    def _answer(self, subject: Subject, task: TaskText) -> Answers:
        def make() -> Arrays:
            (answers,) = score_tasks(self.model, [task], self.batch_tokens)
            return answers.arrays()

        made = self._stage(subject, "answers", self._task_key(subject, task), task.language, make)
        return Answers(task.family, task.language, **made)

    def _written_key(self, subject: Subject) -> dict[str, object]:
        return {**subject.decides, "prompts": [digest(prompt.ids.tolist()) for prompt in self._prompts],
                "new_tokens": NEW_TOKENS, "batch_tokens": self.batch_tokens}  # fmt: skip

    def _write(self, subject: Subject) -> dict[str, list[Continuation]]:
        """How the model goes on from every prompt, all languages at once."""
        tokenizer = self.inputs.tokenizer
        every = self._prompts

        def make() -> Arrays:
            ids = np.full((len(every), NEW_TOKENS), -1, dtype=np.int64)
            written = write(self.model, every, NEW_TOKENS, self.batch_tokens)
            for row, one in zip(ids, written, strict=True):
                row[: len(one.ids)] = one.ids
            return {"ids": ids}

        if not every:
            return {}
        arrays = self._stage(subject, "continuations", self._written_key(subject), ", ".join(self.inputs.prompts), make)
        rows = iter(arrays["ids"])
        return {
            language: [continuation(row[row >= 0], tokenizer) for row in islice(rows, len(prompts))]
            for language, prompts in self.inputs.prompts.items()
        }

    def _similarity(self, subject: Subject) -> dict[str, Nearness]:
        """From the evaluated text; languages of the mix that are not evaluated enter with their calibration text."""
        calibration, texts = self.inputs.calibration, {text.language: text for text in self.inputs.texts}
        if calibration is None or not texts:
            return {}
        lacking = {
            code: [calibration.tokens[row] for row, its in enumerate(calibration.languages) if its == code]
            for code in calibration.counts
            if code not in texts
        }

        def make() -> Arrays:
            rows: dict[str, Sequence[Array]] = {**lacking}
            rows |= {code: evenly_spaced(text, SIMILARITY_WINDOWS).windows for code, text in texts.items()}
            return {"vectors": np.stack([*language_vectors(self.model.skeleton, rows, self.batch_tokens).values()])}

        key = {**subject.decides, "texts": [(code, text.content_hash) for code, text in texts.items()],
               "calibration": [(code, digest([row.tolist() for row in rows])) for code, rows in lacking.items()],
               "windows": SIMILARITY_WINDOWS, "batch_tokens": self.batch_tokens}  # fmt: skip
        vectors = self._stage(subject, "similarity", key, ", ".join([*lacking, *texts]), make)["vectors"]
        near = similarity_to(dict(zip([*lacking, *texts], vectors, strict=True)), calibration.counts)
        return {code: near[code] for code in texts}
