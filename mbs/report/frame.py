"""`mbs.runs(OUTPUTS)`: every finished run of a folder as one tidy data frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mbs.metrics import Interval
from mbs.report.compare import Group, Runs, groups, read_runs
from mbs.storage.digests import digest

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("model", "text", "sparsity", "pruner", "mix", "segments", "length", "split", "language", "metric",
           "value", "low", "high", "level", "seeds", "units", "directories")  # fmt: skip
ALL = "all"
PLAIN = ("harm_per_document", "harm_per_byte", "harm_per_character", "relative_increase", "retention", "lost",
         "divergence")  # fmt: skip


def runs(outputs: str | Path = "outputs") -> pd.DataFrame:
    """One row per condition, language and metric; runs that differ in their calibration seed alone are one condition.

    `value` is the mean over seeds, `low` and `high` its 95 % interval over crossed seeds and documents (or items) where
    there is one; `units` counts documents or items. The language `all` holds summaries: `harm_mean`,
    `harm_worst_quarter` and `harm_worst` (chosen on other cells than measured), `harm_low_resource`. Harm is in nats
    per token. `segments` and `length` are the calibration budget, empty for a pruner that uses no text; `text` tells
    evaluations of different text or rows apart. Raises MbsError when no run is finished.
    """
    import pandas as pd

    conditions = {
        runs.runs[0].directory: (group, runs)
        for group in groups(read_runs(Path(outputs)))
        for runs in group.conditions.values()
    }
    rows = [
        {**_condition(group, runs), **row, "directories": tuple(run.directory.name for run in runs.runs)}
        for group, runs in conditions.values()
        for row in _rows(runs)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _condition(group: Group, runs: Runs) -> dict[str, Any]:
    config, used = runs.first["config"], runs.first["calibration"]["used"]
    return {
        "model": group.model,
        "text": digest(runs.first["content"])[:8],
        "sparsity": group.sparsity,
        "pruner": runs.pruner,
        "mix": runs.mix,
        "segments": config["calibration"]["segments"] if used else None,
        "length": config["calibration"]["length"] if used else None,
        "split": config["evaluation"].get("split", "all"),
    }


def _rows(condition: Runs) -> Iterator[dict[str, Any]]:
    for name, found in condition.summary().items():
        yield _row(ALL, f"harm_{name.replace(' ', '_').replace('-', '_')}", found)
    for language, first in condition.first["languages"].items():
        yield _row(language, "harm", condition.harm(language))
        per_run = [run.result["languages"][language] for run in condition.runs]
        units = first["dense"]["documents"]
        yield _mean(language, "perplexity_dense", [row["dense"]["perplexity"] for row in per_run], units)
        yield _mean(language, "perplexity", [row["compressed"]["perplexity"] for row in per_run], units)
        yield _mean(language, "bits_per_byte", [row["compressed"]["bits_per_byte"] for row in per_run], units)
        for metric in PLAIN:
            if all(row.get(metric) is not None for row in per_run):
                yield _mean(language, metric, [row[metric] for row in per_run], units)
    for task, languages in condition.first["tasks"].items():
        for language in languages:
            for name, found in condition.accuracy(task, language).items():
                yield _row(language, f"{task}_{name}", found)


def _row(language: str, metric: str, found: Interval) -> dict[str, Any]:
    return {
        "language": language, "metric": metric, "value": found.value, "low": found.low, "high": found.high,
        "level": found.level, "seeds": found.seeds, "units": found.documents,
    }  # fmt: skip


def _mean(language: str, metric: str, values: list[float], units: int) -> dict[str, Any]:
    return {
        "language": language, "metric": metric, "value": fmean(values), "low": None, "high": None, "level": None,
        "seeds": len(values), "units": units,
    }  # fmt: skip
