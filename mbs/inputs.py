"""What a run reads, gathered and checked before any model is loaded, and the identity that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbs.continuations import Prompt, prompts
from mbs.corpora.base import Document
from mbs.errors import MbsError
from mbs.evaluators.windows import LanguageText, PerplexityTask
from mbs.machine import versions
from mbs.mixes import Plan, plan
from mbs.models import checkpoint_digest, context_length, open_tokenizer, resolved_device
from mbs.paths import slug
from mbs.pruners.base import check_pruner
from mbs.sampler import CalibrationSet, sample_segments
from mbs.settings import Settings
from mbs.store import digest
from mbs.tasks.suite import TaskText
from mbs.tokenization import Tokenization, tokenizations
from mbs.tokenizer import Tokenizer

DESCRIBED = 200  # documents per language that describe the tokenizer and are gone on from


@dataclass(frozen=True)
class Inputs:
    """The checkpoint's folder, content and tokenizer, the calibration set as planned and drawn, the evaluation text."""

    folder: Path
    model_digest: str
    tokenizer: Tokenizer
    plan: Plan | None
    calibration: CalibrationSet | None
    texts: list[LanguageText]
    tasks: list[TaskText]
    without_task: tuple[str, ...]
    lacking: tuple[str, ...]
    tokenization: dict[str, Tokenization]
    prompts: dict[str, list[Prompt]]
    parallel: bool

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.tokenizer.hf)

    def left_out(self) -> Iterator[str]:
        """One warning each for languages that the corpus lacks, that get no segment, that have none of the tasks."""
        if self.plan and self.plan.dropped:
            yield f"not in the corpus and left out of the mix: {', '.join(self.plan.dropped)}"
        if self.plan and self.plan.without_segment:
            yield f"too few segments for a segment in: {', '.join(self.plan.without_segment)}"
        if self.without_task:
            yield f"none of the tasks has: {', '.join(self.without_task)}"
        if self.lacking:
            yield f"no rows, and left out: {'; '.join(self.lacking)}"
        unprompted = [text.language for text in self.texts if self.prompts and text.language not in self.prompts]
        if unprompted:
            yield f"no document is long enough to go on from in: {', '.join(unprompted)}"


def gather(settings: Settings) -> Inputs:
    """Read, plan, tokenize and draw; raises MbsError for everything that can be known without the model's weights."""
    check_pruner(settings.pruner, settings.sparsity)
    languages = evaluated_languages(settings)
    drawn = _plan(settings)
    folder = settings.model.folder()
    _check_context(settings, folder)
    tokenizer = open_tokenizer(folder)
    corpus = settings.evaluation
    texts = [settings.task.read(corpus, language, tokenizer) for language in languages] if corpus else []
    documents = {code: settings.task.chosen(corpus, code) for code in languages} if corpus else {}
    same = parallel(settings.task, documents)
    first = {code: held[:DESCRIBED] for code, held in documents.items()}
    described = tokenizations(
        {code: [document.text for document in held] for code, held in first.items()},
        tokenizer,
        same,
        table=settings.table,
    )
    tasks = settings.tasks.read(settings.languages) if settings.tasks else []
    calibration = _sample(settings, drawn, tokenizer)
    _refuse_overlap(settings, calibration, texts)
    without = _without_task(settings, tasks, texts)
    return Inputs(
        folder,
        checkpoint_digest(folder),
        tokenizer,
        drawn,
        calibration,
        texts,
        tasks,
        without,
        settings.tasks.lacking(tasks, settings.languages) if settings.tasks else (),
        described,
        _prompts(settings.continuations, first, tokenizer),
        same,
    )


def identity(settings: Settings, inputs: Inputs) -> str:
    """The run's id: its configuration without places and trackers, the content of everything it reads, the device."""
    config = {key: value for key, value in settings.config.items() if key not in ("tracker", "outputs")}
    for group in ("model", "corpus", "evaluation"):
        config[group] = _without_paths(dict(config.get(group) or {}))
    config["model"].pop("shares", None)
    config["model"]["device"] = resolved_device(settings.model.device)
    read = {
        "model": inputs.model_digest,
        "shares": {code: str(amount) for code, amount in settings.shares.amounts.items()} if settings.shares else None,
        "calibration": inputs.calibration.content_hash if inputs.calibration else None,
        "texts": {text.language: text.content_hash for text in inputs.texts},
        "tasks": {f"{task.family}/{task.language}": task.content_hash for task in inputs.tasks},
    }
    return digest({"config": config, "content": read, "versions": versions()})


def run_name(settings: Settings, run_id: str) -> str:
    """The run's directory name: readable parts that cannot leave the output root, and the start of its id."""
    parts = (settings.model.name, settings.pruner.name, settings.sparsity.name, settings.mix.name)
    return "-".join([*(slug(str(part), 40) for part in parts), run_id[:8]])


def evaluated_languages(settings: Settings) -> tuple[str, ...]:
    """The languages asked for, or all of the evaluation text; by declared share, then in the order of the table."""
    if settings.evaluation is None:
        return ()
    available = settings.evaluation.languages
    wanted = settings.languages or available
    for language in wanted:
        if language not in available:
            settings.evaluation.documents(language)
    order = settings.shares.languages if settings.shares else ()
    return tuple(sorted(wanted, key=lambda code: order.index(code) if code in order else len(order)))


def parallel(task: PerplexityTask, documents: Mapping[str, Sequence[Document]]) -> bool:
    """Whether documents are translations of each other: as the settings say, else where their own ids agree.

    Raises MbsError where they are called parallel and differ in number.
    """
    if not task.whole_documents or task.parallel is False or len(documents) < 2:
        return False
    counts = {len(held) for held in documents.values()}
    if task.parallel:
        if len(counts) > 1:
            raise MbsError(
                f"evaluation.parallel=true, with {min(counts)} to {max(counts)} documents per language",
                "as many in every language",
                f"evaluation.documents={min(counts)}, or evaluation.parallel=false",
            )
        return True
    stated = all(document.stated for held in documents.values() for document in held)
    names = [[document.id.removeprefix(f"{code}-") for document in held] for code, held in documents.items()]
    return stated and all(held == names[0] for held in names)


def _prompts(count: int, documents: Mapping[str, Sequence[Document]], tokenizer: Tokenizer) -> dict[str, list[Prompt]]:
    """The starts of documents for the models to go on from, in the languages that have documents long enough."""
    found = {}
    for language, held in documents.items() if count else ():
        with suppress(MbsError):
            found[language] = prompts(held, tokenizer, count)
    return found


def _without_paths(value: object) -> Any:
    """Plain data without the keys that say where things lie: what lies there counts by its content."""
    if isinstance(value, dict):
        return {key: _without_paths(held) for key, held in value.items() if key != "path"}
    return value


def _without_task(settings: Settings, tasks: list[TaskText], texts: list[LanguageText]) -> tuple[str, ...]:
    """The languages asked for that none of the tasks has; raises MbsError for one that nothing is measured in."""
    if settings.tasks is None or settings.languages is None:
        return ()
    having = {task.language for task in tasks}
    measured = having | {text.language for text in texts}
    for language in settings.languages:
        if language not in measured:
            raise MbsError(
                f"nothing is measured in {language}: no task of {', '.join(settings.tasks.asked)} has it",
                f"languages of {', '.join(sorted(having))}",
                "evaluation.path=FOLDER to measure perplexity",
            )
    return tuple(language for language in settings.languages if language not in having)


def _plan(settings: Settings) -> Plan | None:
    if not settings.pruner.needs:
        return None
    if settings.corpus is None:
        raise MbsError(
            f"pruner={settings.pruner.name} needs calibration text, and corpus.path is not set",
            "a folder of <code>.txt or <code>.jsonl files",
            "corpus.path=FOLDER",
        )
    available = settings.corpus.languages
    asked = settings.languages or (settings.shares.languages if settings.shares else available)
    candidates = tuple(code for code in asked if code not in settings.table or not settings.table[code].collection)
    drawn = plan(settings.mix, candidates, available, settings.segments, settings.shares)
    for language in drawn.counts:
        settings.corpus.documents(language)
    return drawn


def _sample(settings: Settings, drawn: Plan | None, tokenizer: Tokenizer) -> CalibrationSet | None:
    if drawn is None or settings.corpus is None:
        return None
    return sample_segments(settings.corpus, drawn.counts, tokenizer, settings.length, settings.seed)


def _refuse_overlap(settings: Settings, calibration: CalibrationSet | None, texts: list[LanguageText]) -> None:
    """By content in any language, and by id within a language."""
    if calibration is None or settings.corpus is None or settings.evaluation is None:
        return
    contents: dict[str, str] = {}
    ids: dict[str, set[str]] = {}
    for text in texts:
        for document in settings.task.chosen(settings.evaluation, text.language):
            contents[document.content_hash] = document.id
            if document.identifies:
                ids.setdefault(text.language, set()).add(document.id)
    for language, used in calibration.documents_of.items():
        for document in settings.corpus.documents(language):
            if document.id not in used:
                continue
            same_id = document.identifies and document.id in ids.get(language, ())
            if same_id or document.content_hash in contents:
                raise MbsError(
                    f"calibration document {document.id} ({language}) is also evaluation document"
                    f" {document.id if same_id else contents[document.content_hash]}",
                    "evaluation text that calibration does not use",
                    "another corpus.path or evaluation.path",
                )


def _check_context(settings: Settings, folder: Path) -> None:
    lengths = {"evaluation.length": settings.task.length} if settings.evaluation else {}
    if settings.pruner.needs:
        lengths["calibration.length"] = settings.length
    check_lengths(lengths, folder)


def check_lengths(lengths: Mapping[str, int], folder: Path) -> None:
    """Raises MbsError for the first length (by its key) that is longer than the context of the checkpoint's model."""
    limit = context_length(folder)
    for key, length in lengths.items():
        if limit is not None and length > limit:
            raise MbsError(f"{key}={length}, and the model's context is {limit} tokens", "no more", f"{key}={limit}")
