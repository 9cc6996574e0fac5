"""One run from settings to result: sample, score the dense model, compress, score again, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from mbs.blocks import Block, MemoryBlocks
from mbs.compress import LayerReport, check_pattern, compress_model
from mbs.errors import MbsError
from mbs.findings import compare_models
from mbs.inputs import Inputs, gather, identity, run_name
from mbs.machine import numerics, peak_memory_bytes, reset_peak_memory, versions
from mbs.measure import Measurement
from mbs.models import open_model, stored_dtype
from mbs.result import (
    Calibration,
    Result,
    write_answers,
    write_continuations,
    write_masks,
    write_result,
    write_scores,
)
from mbs.sampler import CalibrationSet
from mbs.save import save_model
from mbs.settings import Settings
from mbs.skeleton import Skeleton
from mbs.trackers.base import Guarded, RunInfo, Tracker
from mbs.trackers.jsonl import JsonlTracker


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
    with log.stage("sample"):
        inputs = gather(settings)
    for warning in inputs.left_out():
        log.warn(warning)
    run_id = identity(settings, inputs)
    directory = settings.outputs / run_name(settings, run_id)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsError(f"outputs={settings.outputs}: {error.strerror}", "a folder that can be written") from error
    (directory / "result.json").unlink(missing_ok=True)
    _start_trackers(settings, log, directory)
    try:
        result = _measure(settings, log, inputs, run_id, directory)
    except BaseException:
        for tracker in log.trackers:
            tracker.fail()
        raise
    for tracker in log.trackers:
        tracker.finish(result.as_json())
    write_result(result)
    return result


def _measure(settings: Settings, log: Log, inputs: Inputs, run_id: str, directory: Path) -> Result:
    """Load, score, compress, score again, and write everything but `result.json`."""
    texts = inputs.texts
    with log.stage("load"):
        model = open_model(inputs.folder, settings.model.dtype, settings.model.device, log.warn)
        skeleton = Skeleton(model)
        blocks = MemoryBlocks(skeleton)
        check_pattern(blocks, settings.sparsity)
    computed = numerics(skeleton.device, model.dtype)
    stored = stored_dtype(model)
    decides = {"model": inputs.model_digest, "numerics": computed, "versions": versions()}
    measurement = Measurement(skeleton, blocks, inputs, settings.batch_tokens, settings.task.divergence,
                              settings.outputs / ".store", decides)  # fmt: skip
    with log.stage("dense"):
        dense = measurement.dense()
    with log.stage("compress"):
        layers = _compress(settings, skeleton, blocks, inputs.calibration, stored, log)
        write_masks(directory, layers, whole=settings.save != "none")
    with log.stage("score"):
        compressed = measurement.compressed(dense)
    found = compare_models(settings, inputs, dense, compressed)
    for code, row in found.languages.items():
        log.event(event="language", language=code, harm=row.harm,
                  dense=row.dense.perplexity, compressed=row.compressed.perplexity)  # fmt: skip
    for family, rows in found.tasks.items():
        for code, task in rows.items():
            log.event(event="task", task=family, language=code,
                      dense=task.accuracy_dense, compressed=task.accuracy_compressed)  # fmt: skip
    write_scores(directory, texts, dense.texts, compressed.texts)
    write_answers(directory, inputs.tasks, dense.answers, compressed.answers)
    write_continuations(directory, inputs.prompts, inputs.tokenizer, dense.written, compressed.written)
    if settings.save == "model":
        save_model(model, inputs.tokenizer, inputs.folder, directory / "model", stored)
    return Result(
        id=run_id,
        directory=directory,
        pruner=settings.pruner.name,
        mix=str(settings.mix.name),
        model_digest=inputs.model_digest,
        text_hashes={text.language: text.content_hash for text in texts},
        config=settings.config,
        versions=versions(),
        numerics={**computed, "stored": str(stored).removeprefix("torch.")},
        shares={"unit": settings.shares.unit, "source": settings.shares.source} if settings.shares else None,
        calibration=_calibration(settings, inputs),
        task_hashes={f"{task.family}/{task.language}": task.content_hash for task in inputs.tasks},
        evaluation={
            "text": settings.evaluation.provenance() if settings.evaluation else {},
            "rows": sorted({task.source for task in inputs.tasks}),
        },
        found=found,
        requested_sparsity=settings.sparsity.name,
        layers=layers,
        seconds=log.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        warnings=log.warnings,
    )


def _start_trackers(settings: Settings, log: Log, directory: Path) -> None:
    names = [str(settings.mix.name), settings.pruner.name, settings.sparsity.name, settings.model.name]
    info = RunInfo(directory.name, directory, settings.config, names)
    log.trackers = [JsonlTracker(), Guarded(settings.tracker, log.warn)]
    for tracker in log.trackers:
        tracker.start(info)


def _compress(
    settings: Settings,
    skeleton: Skeleton,
    blocks: MemoryBlocks,
    calibration: CalibrationSet | None,
    stored: torch.dtype,
    log: Log,
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
            stored=stored,
            progress=progress,
        )


def _calibration(settings: Settings, inputs: Inputs) -> Calibration:
    drawn, calibration = inputs.plan, inputs.calibration
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
