"""One run from settings to result: sample, score the dense model, compress, score again, record."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mbs.compression.compress import check_pattern
from mbs.engine.checkpoint import open_model, stored_dtype
from mbs.engine.devices import processor, resolved_device
from mbs.engine.matmul import PLAIN, Numerics, measured
from mbs.engine.model import BlockwiseModel
from mbs.engine.switches import quiet_transformers
from mbs.errors import MbsError
from mbs.run.comparison import Findings, compare_models
from mbs.run.compressed import CompressedModel
from mbs.run.context import RunContext
from mbs.run.environment import computed_on, peak_memory_bytes, versions
from mbs.run.folder import BLOCKS
from mbs.run.inputs import Inputs, read_inputs
from mbs.run.log import Log
from mbs.run.result import Calibration, Result, write_answers, write_continuations, write_masks, write_scores
from mbs.run.scores import Measurement, Subject
from mbs.run.settings import Settings
from mbs.storage.cache import Store
from mbs.trackers.base import RunInfo
from mbs.trackers.guard import Guarded
from mbs.trackers.jsonl import JsonlTracker


def perform(run: RunContext) -> dict[str, Any]:
    """The whole run into its directory, `result.json` last, whose content is returned; the caller has the lock."""
    settings, log, folder = run.settings, run.log, run.folder
    with log.stage("sample"):
        inputs = read_inputs(settings, run.plan, run.store, run.identity.plugins("corpus"))
    for warning in inputs.warnings():
        log.warn(warning)
    folder.start(settings.config, anew=settings.rerun == "always")
    log.trackers = [JsonlTracker(), Guarded(settings.tracker, log.mention)]
    names = [str(settings.mix.name), settings.pruner.name, settings.sparsity.name, settings.model.name]
    for tracker in log.trackers:
        tracker.start(RunInfo(folder.path.name, run.identity.id, folder.path, settings.config, names))
    try:
        with quiet_transformers():
            result = _measure(run, inputs)
        record = folder.publish(result.as_json())
        for tracker in log.trackers:
            tracker.finish(record)
    except BaseException as error:
        folder.discard()
        for tracker in log.trackers:
            with suppress(MbsError):  # the disk is full, and the first error says so
                tracker.fail(hurry=not isinstance(error, Exception))
        raise
    return record


def _measure(run: RunContext, inputs: Inputs) -> Result:
    """Load, score, compress, score again, and write everything but `result.json`."""
    settings, log, identity = run.settings, run.log, run.identity
    with log.stage("load"):
        model = _load(settings, log, inputs, run.store)
    stored, computed = stored_dtype(model.hf), computed_on(model)
    dense_decides = {"model": inputs.model_digest, "numerics": computed, "versions": versions(),
                     "own_code": identity.plugins("model", "evaluation")}  # fmt: skip
    method_decides = dense_decides | {"own_code": identity.plugins("model", "evaluation", "pruner", "sparsity")}
    compressed_model = CompressedModel(run, model, inputs, stored, method_decides)
    measurement = Measurement(run, model, inputs)
    compressed = Subject("compressed", compressed_model.decides, compressed_model.prepare)
    _start_anew(run, compressed_model, measurement, compressed)
    with log.stage("dense"):
        before = measurement.dense(Subject("dense", dense_decides))
    with log.stage("compress"):
        if measurement.lacks(compressed) or not compressed_model.is_known() or settings.save == "model":
            compressed_model.prepare()
    with log.stage("score"):
        after = measurement.compressed(compressed, before)
    findings = compare_models(settings, inputs, before, after)
    _tell(findings, log)
    folder = run.folder.stage()
    write_masks(folder, compressed_model.reports, compressed_model.whole_masks)
    write_scores(folder, inputs.texts, before.texts, after.texts)
    write_answers(folder, inputs.tasks, before.answers, after.answers)
    write_continuations(folder, inputs.prompts, inputs.tokenizer, before.written, after.written)
    if settings.save == "model":
        with log.stage("save"):
            compressed_model.save(folder)
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
        findings=findings,
        requested_sparsity=settings.sparsity.name,
        layers=compressed_model.reports,
        seconds=log.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        warnings=log.warnings,
    )


def _load(settings: Settings, log: Log, inputs: Inputs, store: Store) -> BlockwiseModel:
    """The model, taken apart; how the CPU multiplies is chosen once for all runs on this kind of machine.

    A processor on which two units are almost equally fast might otherwise choose differently the next time, and a run
    that goes on would not have the last bits of its beginning.
    """
    numerics = PLAIN
    if resolved_device(settings.model.device) == "cpu":
        numerics = Numerics.of(store.stage("products", processor(), lambda: measured().arrays()))
    model = open_model(inputs.folder, settings.model.dtype, settings.model.device, log.warn, numerics)
    blockwise = BlockwiseModel.of(model, inputs.tokenizer, numerics, inputs.folder)
    check_pattern(blockwise.blocks, settings.sparsity)
    return blockwise


def _start_anew(run: RunContext, model: CompressedModel, measurement: Measurement, compressed: Subject) -> None:
    """With rerun=always forget the compressed model and its scores, once for all attempts: the first has no blocks."""
    blocks = run.folder.path / BLOCKS
    if run.settings.rerun == "always" and not blocks.exists():
        model.forget()
        measurement.forget(compressed)
    blocks.mkdir(exist_ok=True)


def _tell(findings: Findings, log: Log) -> None:
    for code, row in findings.languages.items():
        log.event(event="language", language=code, harm=row.harm,
                  dense=row.dense.perplexity, compressed=row.compressed.perplexity)  # fmt: skip
    for family, rows in findings.tasks.items():
        for code, task in rows.items():
            log.event(event="task", task=family, language=code,
                      dense=task.accuracy_dense, compressed=task.accuracy_compressed)  # fmt: skip


def _calibration(settings: Settings, inputs: Inputs) -> Calibration:
    planned, calibration = inputs.segments, inputs.calibration
    return Calibration(
        used=calibration is not None,
        segments=planned.counts if planned else {},
        length=settings.length,
        dropped_languages=planned.dropped if planned else (),
        languages_without_segment=planned.without_segment if planned else (),
        content_hash=calibration.content_hash if calibration else None,
        provenance=settings.corpus.provenance() if settings.corpus and calibration else {},
        documents=calibration.documents_of if calibration else {},
    )
