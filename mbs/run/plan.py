"""What a run will do, known before any text is read or a model is loaded: languages, segments, the model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mbs.compression.method import check_pruner
from mbs.data.mixes import SegmentCounts, segment_counts
from mbs.engine.checkpoint import context_length
from mbs.errors import MbsError
from mbs.run.settings import Settings


@dataclass(frozen=True)
class RunPlan:
    """The checkpoint's folder, the evaluated languages of text, and how many segments each language gives."""

    folder: Path
    languages: tuple[str, ...]
    segments: SegmentCounts | None


def plan_run(settings: Settings) -> RunPlan:
    """Raises MbsError for everything that can be known so early."""
    check_pruner(settings.pruner, settings.sparsity)
    languages = evaluated_languages(settings)
    segments = planned_segments(settings)
    folder = settings.model.folder()
    lengths = {"evaluation.length": settings.task.length} if settings.evaluation else {}
    if settings.pruner.needs:
        lengths["calibration.length"] = settings.length
    check_lengths(lengths, folder)
    return RunPlan(folder, languages, segments)


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


def planned_segments(settings: Settings) -> SegmentCounts | None:
    """The segments of each language, or None for a pruner that needs no text."""
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
    planned = segment_counts(settings.mix, candidates, available, settings.segments, settings.shares)
    for language in planned.counts:
        if language not in available:
            settings.corpus.documents(language)
    return planned


def check_lengths(lengths: Mapping[str, int], folder: Path) -> None:
    """Raises MbsError for the first length (by its key) that is longer than the context of the checkpoint's model."""
    limit = context_length(folder)
    for key, length in lengths.items():
        if limit is not None and length > limit:
            raise MbsError(f"{key}={length}, and the model's context is {limit} tokens", "no more", f"{key}={limit}")
