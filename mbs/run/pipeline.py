"""One run from settings to result: sample, score the dense model, compress, score again, record."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mbs.compression.compress import check_pattern
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.checkpoint import open_model, stored_dtype
from mbs.engine.devices import processor, resolved_device
from mbs.engine.matmul import Products, probe, settle
from mbs.engine.skeleton import Skeleton
from mbs.engine.switches import quiet_transformers
from mbs.errors import MbsError
from mbs.run.comparison import Findings, compare_models
from mbs.run.compressed import Compression
from mbs.run.environment import numerics, peak_memory_bytes, versions
from mbs.run.folder import read_started, write_started
from mbs.run.identity import Identity
from mbs.run.inputs import Inputs, gather
from mbs.run.log import Log
from mbs.run.plan import Scope
from mbs.run.result import Calibration, Result, write_answers, write_continuations, write_masks, write_scores
from mbs.run.scores import Measurement, Subject
from mbs.run.settings import Settings
from mbs.storage.cache import Store
from mbs.storage.files import make_folder
from mbs.storage.record import begin, discard, write_record
from mbs.trackers.base import RunInfo
from mbs.trackers.guard import Guarded
from mbs.trackers.jsonl import JsonlTracker

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def perform(
    settings: Settings, log: Log, about: Scope, identity: Identity, directory: Path, store: Store
) -> dict[str, Any]:
    """The whole run into its directory, `result.json` last, whose content it gives; the caller has claimed the run."""
    with log.stage("sample"):
        inputs = gather(settings, about, store, identity.own_code("corpus"))
    for warning in inputs.warnings():
        log.warn(warning)
    make_folder(directory)
    started = read_started(directory) or {"leftovers": [], "anew": False}
    write_started(directory, identity.id, settings.config, started["leftovers"], started["anew"])
    log.trackers = [JsonlTracker(), Guarded(settings.tracker, log.mention)]
    names = [str(settings.mix.name), settings.pruner.name, settings.sparsity.name, settings.model.name]
    for tracker in log.trackers:
        tracker.start(RunInfo(directory.name, identity.id, directory, settings.config, names))
    try:
        with quiet_transformers():
            result = _measure(settings, log, inputs, identity, directory, store)
        record = write_record(directory, result.as_json())
        for tracker in log.trackers:
            tracker.finish(record)
    except BaseException as error:
        discard(directory)
        for tracker in log.trackers:
            with suppress(MbsError):  # the disk is full, and the first error says so
                tracker.fail(hurry=not isinstance(error, Exception))
        raise
    return record


def _measure(settings: Settings, log: Log, inputs: Inputs, identity: Identity, directory: Path, store: Store) -> Result:
    """Load, score, compress, score again, and write everything but `result.json`."""
    with log.stage("load"):
        model, skeleton, blocks = _load(settings, log, inputs, store)
    stored = stored_dtype(model)
    computed = numerics(skeleton.device, model.dtype)
    decides = {"model": inputs.model_digest, "numerics": computed, "versions": versions(),
               "own_code": identity.own_code("model", "evaluation")}  # fmt: skip
    by_method = decides | {"own_code": identity.own_code("model", "evaluation", "pruner", "sparsity")}
    compression = Compression(
        settings, skeleton, blocks, inputs, stored, by_method, store, log.note,
        progress=lambda block: log.event(event="block", block=block.index),
    )  # fmt: skip
    measurement = Measurement(
        skeleton, blocks, inputs, settings.batch_tokens, settings.task.divergence, store,
        progress=lambda subject, kind, language: log.event(event="scored", model=subject, kind=kind, language=language),
    )  # fmt: skip
    compressed = Subject("compressed", compression.decides, compression.ready)
    _start_anew(settings, identity, directory, compression, measurement, compressed)
    with log.stage("dense"):
        before = measurement.dense(Subject("dense", decides))
    with log.stage("compress"):
        if measurement.lacks(compressed) or not compression.known() or settings.save == "model":
            compression.ready()
    with log.stage("score"):
        after = measurement.compressed(compressed, before)
    found = compare_models(settings, inputs, before, after)
    _tell(found, log)
    made = begin(directory)
    write_masks(made, compression.reports, compression.whole_masks)
    write_scores(made, inputs.texts, before.texts, after.texts)
    write_answers(made, inputs.tasks, before.answers, after.answers)
    write_continuations(made, inputs.prompts, inputs.tokenizer, before.written, after.written)
    if settings.save == "model":
        with log.stage("save"):
            compression.save(made, directory.name)
    return Result(
        identity=identity,
        pruner=settings.pruner.name,
        mix=str(settings.mix.name),
        model_digest=inputs.model_digest,
        text_hashes={text.language: text.content_hash for text in inputs.texts},
        config=settings.config,
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
        layers=compression.reports,
        seconds=log.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        warnings=log.warnings,
    )


def _load(settings: Settings, log: Log, inputs: Inputs, store: Store) -> tuple[PreTrainedModel, Skeleton, MemoryBlocks]:
    """The model, taken apart; the units of the processor are chosen once for all runs on this kind of machine."""
    if resolved_device(settings.model.device) == "cpu":
        settle(Products.of(store.stage("products", processor(), lambda: probe(torch.device("cpu")).arrays())))
    model = open_model(inputs.folder, settings.model.dtype, settings.model.device, log.warn)
    skeleton = Skeleton(model)
    blocks = MemoryBlocks(skeleton)
    check_pattern(blocks, settings.sparsity)
    return model, skeleton, blocks


def _start_anew(
    settings: Settings,
    identity: Identity,
    directory: Path,
    compression: Compression,
    measurement: Measurement,
    compressed: Subject,
) -> None:
    """Complete `run.json`, and with rerun=always forget the compressed model and its scores, once for all attempts."""
    anew = settings.rerun == "always"
    started = read_started(directory)
    if anew and started and not started["anew"]:
        compression.forget()
        measurement.forget(compressed)
    leftovers = sorted({*(started or {}).get("leftovers", ()), *compression.leftovers})
    write_started(directory, identity.id, settings.config, leftovers, anew)


def _tell(found: Findings, log: Log) -> None:
    for code, row in found.languages.items():
        log.event(event="language", language=code, harm=row.harm,
                  dense=row.dense.perplexity, compressed=row.compressed.perplexity)  # fmt: skip
    for family, rows in found.tasks.items():
        for code, task in rows.items():
            log.event(event="task", task=family, language=code,
                      dense=task.accuracy_dense, compressed=task.accuracy_compressed)  # fmt: skip


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
