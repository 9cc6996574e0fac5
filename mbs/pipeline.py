"""One run from settings to result: sample, score the dense model, compress, score again, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mbs.blocks import Block, MemoryBlocks
from mbs.compress import LayerReport, check_pattern, compress_model
from mbs.corpora.base import Corpus
from mbs.errors import MbsError
from mbs.evaluators.perplexity import score_text
from mbs.evaluators.windows import LanguageText, PerplexityTask
from mbs.languages import LANGUAGES, Language
from mbs.machine import numerics, peak_memory_bytes, reset_peak_memory, versions
from mbs.metrics import compare, summarize
from mbs.mixes import Mix, Plan, plan
from mbs.models import ModelSource, checkpoint_digest, context_length, open_model, open_tokenizer, resolved_device
from mbs.paths import slug
from mbs.pruners.base import Pruner
from mbs.result import Calibration, Result, write_masks, write_result, write_scores
from mbs.sampler import CalibrationSet, sample_segments
from mbs.shares import Shares
from mbs.skeleton import Skeleton
from mbs.sparsity import Sparsity
from mbs.store import digest, stage
from mbs.tokenizer import Tokenizer
from mbs.trackers.base import Guarded, RunInfo, Tracker
from mbs.trackers.jsonl import JsonlTracker


@dataclass(frozen=True)
class Settings:
    """A run as plain objects; `config` is the same as plain data, for the record."""

    model: ModelSource
    mix: Mix
    pruner: Pruner
    sparsity: Sparsity
    corpus: Corpus | None
    task: PerplexityTask
    evaluation: Corpus
    tracker: Tracker
    shares: Shares | None = None
    languages: tuple[str, ...] | None = None
    table: Mapping[str, Language] = field(default_factory=lambda: LANGUAGES)
    segments: int = 256
    length: int = 2048
    seed: int = 0
    save: str = "none"
    batch_tokens: int = 4096
    outputs: Path = Path("outputs")
    config: Mapping[str, Any] = field(default_factory=dict)


class Log:
    """Where a run speaks: stage lines, warnings (kept for the result), trackers, seconds per stage."""

    def __init__(self, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self.say, self._warn = say, warn
        self.warnings: list[str] = []
        self.seconds: dict[str, float] = {}
        self.trackers: list[Tracker] = []

    def warn(self, line: str) -> None:
        """Print a warning and keep it."""
        self.warnings.append(line)
        self._warn(line)

    def event(self, **event: object) -> None:
        """Tell every tracker."""
        for tracker in self.trackers:
            tracker.log(event)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and say when it ends."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 3)
        self.say(f"{name}: {self.seconds[name]:.1f} s")
        self.event(event="stage", stage=name, seconds=self.seconds[name])


def run(settings: Settings, log: Log) -> Result:
    """The whole run; raises MbsError with one clear line, before any model is loaded wherever it can be known."""
    reset_peak_memory()
    languages = evaluated_languages(settings)
    drawn = _plan(settings)
    folder = settings.model.folder()
    _check_context(settings, folder)
    tokenizer = open_tokenizer(folder)
    with log.stage("sample"):
        texts = [settings.task.read(settings.evaluation, language, tokenizer) for language in languages]
        calibration = _sample(settings, drawn, tokenizer)
        _refuse_overlap(settings, calibration, texts)
    for warning in _left_out(drawn):
        log.warn(warning)
    content = Content(checkpoint_digest(folder), calibration, texts)
    identity = _identity(settings, content)
    directory = settings.outputs / _name(settings, identity)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsError(f"outputs={settings.outputs}: {error.strerror}", "a folder that can be written") from error
    (directory / "result.json").unlink(missing_ok=True)
    _start_trackers(settings, log, directory)
    try:
        result = _measure(settings, log, folder, tokenizer, content, drawn, identity, directory)
    except BaseException:
        for tracker in log.trackers:
            tracker.fail()
        raise
    for tracker in log.trackers:
        tracker.finish(result.as_json())
    write_result(result)
    return result


@dataclass(frozen=True)
class Content:
    """What a run reads: the checkpoint's digest, the calibration set, the evaluation text."""

    model: str
    calibration: CalibrationSet | None
    texts: list[LanguageText]


def _measure(
    settings: Settings,
    log: Log,
    folder: Path,
    tokenizer: Tokenizer,
    content: Content,
    drawn: Plan | None,
    identity: str,
    directory: Path,
) -> Result:
    """Load, score, compress, score again, and write everything but `result.json`."""
    texts = content.texts
    with log.stage("load"):
        model = open_model(folder, settings.model.dtype, settings.model.device, log.warn)
        skeleton = Skeleton(model)
        blocks = MemoryBlocks(skeleton)
        check_pattern(blocks, settings.sparsity)
    computed = numerics(str(skeleton.device), str(model.dtype).removeprefix("torch."))

    def dense_nll(text: LanguageText) -> np.ndarray:
        inputs = {"model": content.model, "text": text.content_hash, "units": digest([unit.id for unit in text.units]),
                  "batch_tokens": settings.batch_tokens, "numerics": computed, "versions": versions()}  # fmt: skip
        made = stage(
            settings.outputs / ".store",
            "dense",
            inputs,
            lambda: {"nll": score_text(skeleton, blocks, text, settings.batch_tokens)},
        )
        return made["nll"]

    with log.stage("dense"):
        dense = {text.language: dense_nll(text) for text in texts}
    with log.stage("compress"):
        layers = _compress(settings, skeleton, blocks, content.calibration, log)
        write_masks(directory, layers, whole=settings.save != "none")
    with log.stage("score"):
        compressed = {text.language: score_text(skeleton, blocks, text, settings.batch_tokens) for text in texts}
    results = {}
    for text in texts:
        code = text.language
        share = settings.shares.share(code) if settings.shares else None
        results[code] = compare(dense[code], compressed[code], text.units, share, settings.task.protocol == "documents")
        log.event(event="language", language=code, harm=results[code].harm,
                  dense=results[code].dense.perplexity, compressed=results[code].compressed.perplexity)  # fmt: skip
    write_scores(directory, texts, dense, compressed)
    if settings.save == "model":
        model.save_pretrained(directory / "model")
        tokenizer.hf.save_pretrained(directory / "model")
    return Result(
        id=identity,
        directory=directory,
        pruner=settings.pruner.name,
        mix=str(settings.mix.name),
        model_digest=content.model,
        text_hashes={text.language: text.content_hash for text in texts},
        config=settings.config,
        versions=versions(),
        numerics=computed,
        shares={"unit": settings.shares.unit, "source": settings.shares.source} if settings.shares else None,
        calibration=_calibration(settings, drawn, content.calibration),
        languages=results,
        summary=summarize(results, settings.shares),
        requested_sparsity=settings.sparsity.name,
        layers=layers,
        seconds=log.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        warnings=log.warnings,
    )


def evaluated_languages(settings: Settings) -> tuple[str, ...]:
    """The languages asked for, or all of the evaluation text; by declared share, then in the order of the table."""
    available = settings.evaluation.languages
    wanted = settings.languages or available
    for language in wanted:
        if language not in available:
            settings.evaluation.documents(language)
    order = settings.shares.languages if settings.shares else ()
    return tuple(sorted(wanted, key=lambda code: order.index(code) if code in order else len(order)))


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
    candidates = settings.languages or (settings.shares.languages if settings.shares else available)
    drawn = plan(settings.mix, candidates, available, settings.segments, settings.shares)
    for language in drawn.counts:
        settings.corpus.documents(language)
    return drawn


def _sample(settings: Settings, drawn: Plan | None, tokenizer: Tokenizer) -> CalibrationSet | None:
    if drawn is None or settings.corpus is None:
        return None
    return sample_segments(settings.corpus, drawn.counts, tokenizer, settings.length, settings.seed)


def _refuse_overlap(settings: Settings, calibration: CalibrationSet | None, texts: list[LanguageText]) -> None:
    if calibration is None or settings.corpus is None:
        return
    evaluated = {
        document.content_hash: document.id
        for text in texts
        for document in settings.evaluation.documents(text.language)[: settings.task.documents]
    }
    for language, ids in calibration.documents_of.items():
        for document in settings.corpus.documents(language):
            if document.id in ids and document.content_hash in evaluated:
                raise MbsError(
                    f"calibration document {document.id} ({language}) is also evaluation document"
                    f" {evaluated[document.content_hash]}",
                    "evaluation text that calibration does not use",
                    "another corpus.path or evaluation.path",
                )


def _check_context(settings: Settings, folder: Path) -> None:
    limit = context_length(folder)
    lengths = {"evaluation.length": settings.task.length}
    if settings.pruner.needs:
        lengths["calibration.length"] = settings.length
    for key, length in lengths.items():
        if limit is not None and length > limit:
            raise MbsError(f"{key}={length}, and the model's context is {limit} tokens", "no more", f"{key}={limit}")


def _left_out(drawn: Plan | None) -> Iterator[str]:
    if drawn and drawn.dropped:
        yield f"not in the corpus and left out of the mix: {', '.join(drawn.dropped)}"
    if drawn and drawn.without_segment:
        yield f"too few segments for a segment in: {', '.join(drawn.without_segment)}"


def _identity(settings: Settings, content: Content) -> str:
    """The run's id: its configuration without places and trackers, the content of everything it reads, the device."""
    config = {key: value for key, value in settings.config.items() if key not in ("tracker", "outputs")}
    for group in ("model", "corpus", "evaluation"):
        config[group] = {key: value for key, value in dict(config.get(group) or {}).items() if key != "path"}
    config["model"].pop("shares", None)
    config["model"]["device"] = resolved_device(settings.model.device)
    read = {
        "model": content.model,
        "shares": {code: str(amount) for code, amount in settings.shares.amounts.items()} if settings.shares else None,
        "calibration": content.calibration.content_hash if content.calibration else None,
        "texts": {text.language: text.content_hash for text in content.texts},
    }
    return digest({"config": config, "content": read, "versions": versions()})


def _name(settings: Settings, identity: str) -> str:
    parts = (settings.model.name, settings.pruner.name, settings.sparsity.name, settings.mix.name)
    return "-".join([*(slug(str(part), 40) for part in parts), identity[:8]])


def _start_trackers(settings: Settings, log: Log, directory: Path) -> None:
    names = [str(settings.mix.name), settings.pruner.name, settings.sparsity.name, settings.model.name]
    info = RunInfo(directory.name, directory, settings.config, names)
    log.trackers = [JsonlTracker(), Guarded(settings.tracker, log.warn)]
    for tracker in log.trackers:
        tracker.start(info)


def _compress(
    settings: Settings, skeleton: Skeleton, blocks: MemoryBlocks, calibration: CalibrationSet | None, log: Log
) -> list[LayerReport]:
    with tqdm(total=len(blocks), desc="blocks", disable=None, leave=False) as bar:

        def progress(block: Block) -> None:
            bar.update()
            log.event(event="block", block=block.index)

        return compress_model(
            skeleton,
            blocks,
            calibration,
            settings.pruner,
            settings.sparsity,
            settings.batch_tokens,
            whole_masks=settings.save != "none",
            progress=progress,
        )


def _calibration(settings: Settings, drawn: Plan | None, calibration: CalibrationSet | None) -> Calibration:
    return Calibration(
        used=calibration is not None,
        segments=drawn.counts if drawn else {},
        length=settings.length,
        dropped_languages=drawn.dropped if drawn else (),
        languages_without_segment=drawn.without_segment if drawn else (),
        content_hash=calibration.content_hash if calibration else None,
        provenance=settings.corpus.provenance() if settings.corpus and calibration else {},
        documents=calibration.documents_of if calibration else {},
    )
