"""What a run reads, gathered and checked before any model is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mbs.data.corpora.base import Corpus, Document
from mbs.data.mixes import SegmentCounts
from mbs.data.sampler import CalibrationSet, sample_segments
from mbs.engine.checkpoint import checkpoint_digest, open_tokenizer
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.continuations import Prompt, prompts
from mbs.evaluation.fertility import Tokenization, tokenizations
from mbs.evaluation.tasks.suite import TaskText
from mbs.evaluation.windows import LanguageText, PerplexityTask
from mbs.run.environment import versions
from mbs.run.plan import RunPlan
from mbs.run.settings import Settings
from mbs.storage.cache import Arrays, Store
from mbs.storage.digests import strict_json

DESCRIBED = 200  # documents per language that describe the tokenizer and are gone on from

Source = tuple[str, bool]  # the content hash of a document, and whether its id names it


@dataclass(frozen=True)
class Drawn:
    """A calibration set, by language and id the documents that it was drawn from, and what is odd about them."""

    calibration: CalibrationSet
    sources: Mapping[str, Mapping[str, Source]]
    remarks: Sequence[str]

    def arrays(self) -> Arrays:
        """All of it as arrays, for the store."""
        rest = [self.calibration.languages, self.calibration.documents, self.sources, self.remarks]
        return {"tokens": self.calibration.tokens, "rest": np.array(strict_json(rest))}

    @classmethod
    def of(cls, arrays: Arrays) -> Drawn:
        """Inverse of `arrays()`."""
        languages, documents, sources, remarks = json.loads(str(arrays["rest"]))
        calibration = CalibrationSet(arrays["tokens"], tuple(languages), tuple(map(tuple, documents)))
        return cls(calibration, sources, remarks)


@dataclass(frozen=True)
class Inputs:
    """The checkpoint's folder, content and tokenizer, the calibration set as planned and drawn, the evaluation text."""

    folder: Path
    model_digest: str
    tokenizer: Tokenizer
    segments: SegmentCounts | None
    calibration: CalibrationSet | None
    texts: list[LanguageText]
    tasks: list[TaskText]
    without_task: tuple[str, ...]
    lacking: tuple[str, ...]
    tokenization: dict[str, Tokenization]
    prompts: dict[str, list[Prompt]]
    parallel: bool
    remarks: tuple[str, ...]

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.tokenizer.hf)

    def warnings(self) -> Iterator[str]:
        """One each for text in an odd form, and languages that the corpus lacks, that get no segment or task."""
        yield from self.remarks
        if self.segments and self.segments.dropped:
            yield f"not in the corpus and left out of the mix: {', '.join(self.segments.dropped)}"
        if self.segments and self.segments.without_segment:
            yield f"too few segments for a segment in: {', '.join(self.segments.without_segment)}"
        if self.without_task:
            yield f"none of the tasks has: {', '.join(self.without_task)}"
        if self.lacking:
            yield f"no rows, and left out: {'; '.join(self.lacking)}"
        unprompted = [text.language for text in self.texts if self.prompts and text.language not in self.prompts]
        if unprompted:
            yield f"no document is long enough to go on from in: {', '.join(unprompted)}"


def read_inputs(settings: Settings, plan: RunPlan, store: Store, plugins: Mapping[str, object]) -> Inputs:
    """Read, tokenize and draw; raises MbsError for everything that can be known without the model's weights.

    `plugins`: digests of the user plug-in modules that the corpus comes from.
    """
    tokenizer = open_tokenizer(plan.folder)
    corpus = settings.evaluation
    texts = [settings.task.read(corpus, language, tokenizer) for language in plan.languages] if corpus else []
    documents = {code: settings.task.chosen(corpus, code) for code in plan.languages} if corpus else {}
    same = parallel(settings.task, documents)
    first = {code: held[:DESCRIBED] for code, held in documents.items()}
    described = tokenizations(
        {code: [document.text for document in held] for code, held in first.items()},
        tokenizer,
        same,
        table=settings.table,
    )
    tasks = settings.tasks.read(settings.languages) if settings.tasks else []
    drawn = _sample(settings, plan.segments, tokenizer, store, plugins)
    _refuse_overlap(settings, drawn, texts)
    without = _without_task(settings, tasks, texts)
    remarks = [remark for code in documents if corpus for remark in corpus.remarks(code)]
    remarks += drawn.remarks if drawn else []
    return Inputs(
        plan.folder,
        checkpoint_digest(plan.folder, store.digest_of),
        tokenizer,
        plan.segments,
        drawn.calibration if drawn else None,
        texts,
        tasks,
        without,
        settings.tasks.lacking(tasks, settings.languages) if settings.tasks else (),
        described,
        _prompts(settings.continuations, first, tokenizer),
        same,
        tuple(remarks),
    )


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


def _sample(
    settings: Settings,
    segments: SegmentCounts | None,
    tokenizer: Tokenizer,
    store: Store,
    plugins: Mapping[str, object],
) -> Drawn | None:
    """The calibration set, drawn once for all runs that take the same of the same text."""
    corpus = settings.corpus
    if segments is None or corpus is None:
        return None
    key = {
        "corpus": {code: corpus.content(code, store.digest_of) for code in segments.counts},
        "normalize": corpus.provenance().get("normalize"),
        "tokenizer": tokenizer.digest,
        "counts": list(segments.counts.items()),
        "length": settings.length,
        "seed": settings.seed,
        "versions": versions(),
        "own_code": plugins,
    }

    def draw() -> Arrays:
        calibration = sample_segments(corpus, segments.counts, tokenizer, settings.length, settings.seed)
        remarks = [remark for code in segments.counts for remark in corpus.remarks(code)]
        return Drawn(calibration, _sources(corpus, calibration), remarks).arrays()

    return Drawn.of(store.stage("calibration", key, draw))


def _sources(corpus: Corpus, calibration: CalibrationSet) -> dict[str, dict[str, Source]]:
    used = {language: set(ids) for language, ids in calibration.documents_of.items()}
    return {
        language: {
            document.id: (document.content_hash, document.identifies)
            for document in corpus.documents(language)
            if document.id in ids
        }
        for language, ids in used.items()
    }


def _refuse_overlap(settings: Settings, drawn: Drawn | None, texts: list[LanguageText]) -> None:
    """By content in any language, and by id within a language."""
    if drawn is None or settings.evaluation is None:
        return
    contents: dict[str, str] = {}
    ids: dict[str, set[str]] = {}
    for text in texts:
        for document in settings.task.chosen(settings.evaluation, text.language):
            contents[document.content_hash] = document.id
            if document.identifies:
                ids.setdefault(text.language, set()).add(document.id)
    for language, documents in drawn.sources.items():
        for name, (content, identifies) in documents.items():
            same_id = identifies and name in ids.get(language, ())
            if same_id or content in contents:
                raise MbsError(
                    f"calibration document {name} ({language}) is also evaluation document"
                    f" {name if same_id else contents[content]}",
                    "evaluation text that calibration does not use",
                    "another corpus.path or evaluation.path",
                )
