"""What a run found: both models compared in every language and every task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mbs.errors import MbsError
from mbs.evaluation.continuations import Writing, judge, references
from mbs.evaluation.fertility import Tokenization
from mbs.evaluation.language_id import Identifier
from mbs.evaluation.perplexity import TextScores
from mbs.evaluation.similarity import Nearness
from mbs.evaluation.unigram import unigram_nll
from mbs.evaluation.windows import LanguageText
from mbs.metrics import LanguageResult, Summary, compare, deltas, learnt, lost, summarize
from mbs.metrics.answers import Change, TaskResult, binned_calibration_error, compare_answers
from mbs.metrics.causes import Dependence, changes_by_group, dependences
from mbs.metrics.groups import GroupChange
from mbs.run.inputs import Inputs
from mbs.run.scores import Measured
from mbs.run.settings import Settings


@dataclass(frozen=True)
class Findings:
    """Perplexity and harm per language, their summary (None without text), and tasks by family and language.

    `tokenization` describes the tokenizer on each language's text, `similarity` how near each language's text is to the
    calibration set; `groups` and `dependence` say which languages pay. `continuations`: by language, of the documents
    themselves and of what either model writes.
    """

    languages: Mapping[str, LanguageResult]
    summary: Summary | None
    tasks: Mapping[str, Mapping[str, TaskResult]]
    tokenization: Mapping[str, Tokenization]
    similarity: Mapping[str, Nearness]
    groups: Mapping[str, Mapping[str, GroupChange]]
    dependence: Mapping[str, Dependence]
    continuations: Mapping[str, Mapping[str, Writing]]


def compare_models(settings: Settings, inputs: Inputs, dense: Measured, compressed: Measured) -> Findings:
    """Everything that follows from what the two models made of the same text and rows."""
    languages = {}
    for text in inputs.texts:
        share = settings.shares.share(text.language) if settings.shares else None
        before, after = dense.texts[text.language], compressed.texts[text.language]
        languages[text.language] = compare_texts(
            text, before, after, share, settings.task.whole_documents, inputs.vocabulary
        )
    counted = {code: row for code, row in languages.items() if not settings.table[code].collection}
    measured = {
        text.language: deltas(dense.texts[text.language].nll, compressed.texts[text.language].nll, text.units)
        for text in inputs.texts
        if text.language in counted
    }
    summary = summarize(counted, settings.shares, measured, inputs.parallel) if counted else None
    return Findings(
        languages,
        summary,
        compare_tasks(inputs, dense, compressed),
        inputs.tokenization,
        dense.similarity,
        changes_by_group(counted, settings.shares, settings.table) if counted else {},
        dependences({code: row.harm for code, row in counted.items()}, _quantities(inputs, counted, dense)),
        _judged(inputs, dense, compressed),
    )


def _judged(inputs: Inputs, dense: Measured, compressed: Measured) -> dict[str, dict[str, Writing]]:
    if not inputs.prompts:
        return {}
    identifier = Identifier()
    return {
        language: {
            "reference": judge(language, references(prompts, inputs.tokenizer), identifier),
            "dense": judge(language, dense.written[language], identifier),
            "compressed": judge(language, compressed.written[language], identifier),
        }
        for language, prompts in inputs.prompts.items()
    }


def _quantities(
    inputs: Inputs, languages: Mapping[str, LanguageResult], dense: Measured
) -> dict[str, dict[str, float | None]]:
    """What harm may depend on: share, fertility (premium where text is parallel, else tokens per word), nearness."""
    costs = {code: one for code, one in inputs.tokenization.items() if code in languages}
    return {
        "share": {code: row.share for code, row in languages.items()},
        "fertility": {
            code: one.premium if one.premium is not None else one.fertility if one.unit == "word" else None
            for code, one in costs.items()
        },
        "similarity": {code: near.cosine for code, near in dense.similarity.items()},
    }


def compare_texts(
    text: LanguageText, dense: TextScores, compressed: TextScores, share: float | None, whole: bool, vocabulary: int
) -> LanguageResult:
    """One language: harm with its interval, what was learnt and lost, divergence and next-token calibration."""
    found = compare(dense.nll, compressed.nll, text.units, share, whole)
    unigram = unigram_nll(text, vocabulary)
    before, after = (binned_calibration_error(scores.confidence) for scores in (dense, compressed))
    found = replace(
        found,
        divergence=float(compressed.divergence.mean()) if len(compressed.divergence) else None,
        divergence_tokens=len(compressed.divergence),
        calibration_error=Change(before, after, after - before),
        dropped_windows=text.dropped_windows,
    )
    if unigram is None:
        return found
    known = learnt(dense.nll, unigram, text.tokens)
    return replace(found, learnt=known, lost=lost(dense.nll, compressed.nll, unigram) if known else None)


def compare_tasks(inputs: Inputs, dense: Measured, compressed: Measured) -> dict[str, dict[str, TaskResult]]:
    """Every task in every language, on the same items."""
    found: dict[str, dict[str, TaskResult]] = {}
    for task, before, after in zip(inputs.tasks, dense.answers, compressed.answers, strict=True):
        if not np.array_equal(before.rows, after.rows):
            raise MbsError(f"{task.family} {task.language}: the models answered different rows", "the same rows")
        found.setdefault(task.family, {})[task.language] = compare_answers(
            before.correct, after.correct, before.gold, before.loglik, after.loglik, task.chance
        )
    return found
