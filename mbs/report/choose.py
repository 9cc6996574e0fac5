"""Chooses the best condition, looking at the half of the documents that is there to choose by, and at nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from mbs.errors import MbsError, unknown
from mbs.metrics import Interval
from mbs.report.compare import Condition, Group, Run, for_choosing, groups

CRITERIA = {"mean": "mean", "worst-quarter": "worst quarter", "worst": "worst", "low-resource": "low-resource"}


def choose(runs: Sequence[Run], criterion: str = "worst-quarter") -> list[tuple[Group, Condition, Interval]]:
    """Of every group the condition with the least harm by a criterion, on runs with `evaluation.split=first` alone.

    Raises MbsError when there are none: what is chosen on the documents that are reported looks better than it is.
    """
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    seen = [run for run in runs if for_choosing(run)]
    if not seen:
        raise MbsError(
            f"{len(runs)} runs, none of them on the half of the documents that choices may see",
            "runs with evaluation.split=first",
            "the same command with evaluation.split=first; report the chosen one with evaluation.split=second",
        )
    chosen = []
    for group in groups(seen):
        found = {}
        for condition, held in group.conditions.items():
            summary = held.summary()
            if CRITERIA[criterion] not in summary:
                raise MbsError(f"no {criterion} harm of {' '.join(condition)}", "text of two documents or more")
            found[condition] = summary[CRITERIA[criterion]]
        best = min(found, key=lambda condition: found[condition].value)
        chosen.append((group, best, found[best]))
    return chosen
