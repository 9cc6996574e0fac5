"""Runs side by side: harm per language under every pruner and mix, with its spread over calibration seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mbs.errors import MbsError
from mbs.result import SCHEMA_VERSION
from mbs.store import digest

GENERATED = "generated text; says nothing about the real languages"
INCIDENTAL = ("seed", "outputs", "tracker", "save", "batch_tokens")  # what may differ between runs of one condition
Condition = tuple[str, str]  # pruner and mix; no mix where no text is used


@dataclass(frozen=True)
class Spread:
    """Mean over runs that differ in their calibration seed, and their standard deviation (NaN for a single run)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        """Mean, and deviation where there is one."""
        return f"{self.mean:+.3f}" + ("" if math.isnan(self.deviation) else f" ±{self.deviation:.3f}")


@dataclass(frozen=True)
class Group:
    """Runs of one model on one text at one sparsity: languages by share, harm per condition and language."""

    model: str
    sparsity: str
    generated: bool
    shares: Mapping[str, float | None]
    dense: Mapping[str, float]
    low_resource: tuple[str, ...]
    harm: Mapping[Condition, Mapping[str, Spread]]

    def summary(self, condition: Condition) -> dict[str, float]:
        """Unweighted mean and worst over the languages, and over the low-resource ones where known."""
        means = {code: spread.mean for code, spread in self.harm[condition].items()}
        found = {"mean": fmean(means.values()), "worst": max(means.values())}
        if self.low_resource:
            found["low-resource"] = fmean(means[code] for code in self.low_resource)
        return found


def read_results(outputs: Path) -> list[dict[str, Any]]:
    """Every finished run under a folder; raises MbsError when there is none."""
    files = sorted(outputs.glob("*/result.json"))
    if not files:
        raise MbsError(f"no finished run in {outputs}", "a folder with */result.json", "mbs -m experiment=demo")
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for file, result in zip(files, found, strict=True):
        if result.get("schema_version") != SCHEMA_VERSION:
            raise MbsError(f"{file} has schema {result.get('schema_version')}", f"schema {SCHEMA_VERSION}", "a new run")
    return found


def groups(results: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Runs that may be compared: the same model, evaluation text, sparsity and calibration budget.

    A pruner that uses no text stands in every group of its model, text and sparsity.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        found.setdefault(
            digest({"content": result["content"], "sparsity": result["sparsity"]["requested"]}), []
        ).append(result)
    made = []
    for alike in found.values():
        free = [result for result in alike if not result["calibration"]["used"]]
        budgets: dict[str, list[Mapping[str, Any]]] = {}
        for result in alike:
            if result["calibration"]["used"]:
                budgets.setdefault(digest(result["config"]["calibration"]), []).append(result)
        made += [_group([*runs, *free]) for runs in budgets.values()] or [_group(free)]
    return sorted(made, key=lambda group: (group.model, group.sparsity))


def is_generated(result: Mapping[str, Any]) -> bool:
    """Whether a run was evaluated on text of the generated world."""
    corpus = (result["config"].get("evaluation") or {}).get("corpus") or {}
    return str(corpus.get("_target_", "")).startswith("mbs.corpora.demo.")


def _group(runs: Sequence[Mapping[str, Any]]) -> Group:
    first = runs[0]
    by_condition = _conditions(runs)
    harm = {
        condition: {code: _spread([run["languages"][code]["harm"] for run in alike]) for code in first["languages"]}
        for condition, alike in sorted(by_condition.items())
    }
    return Group(
        model=_model_name(first),
        sparsity=first["sparsity"]["requested"],
        generated=is_generated(first),
        shares={code: row["share"] for code, row in first["languages"].items()},
        dense={code: row["dense"]["perplexity"] for code, row in first["languages"].items()},
        low_resource=tuple(first["summary"]["low_resource_languages"]),
        harm=harm,
    )


def _conditions(runs: Sequence[Mapping[str, Any]]) -> dict[Condition, list[Mapping[str, Any]]]:
    """Runs that differ in their calibration seed alone; where more differs, the mix is named with a mark of its own."""
    found: dict[Condition, dict[str, list[Mapping[str, Any]]]] = {}
    for run in runs:
        config = {key: value for key, value in run["config"].items() if key not in INCIDENTAL}
        used = run["calibration"]["used"]
        if not used:
            config = {key: value for key, value in config.items() if key not in ("mix", "corpus", "calibration")}
        mark = digest({"config": config, "numerics": run["numerics"]})[:4]
        alike = found.setdefault((run["pruner"], run["mix"] if used else ""), {}).setdefault(mark, [])
        if used or not alike:
            alike.append(run)
    return {
        (pruner, mix if len(variants) == 1 else f"{mix} #{mark}"): alike
        for (pruner, mix), variants in found.items()
        for mark, alike in variants.items()
    }


def _spread(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else math.nan)


def _model_name(result: Mapping[str, Any]) -> str:
    return str(result["config"]["model"]["path"]).rstrip("/").split("/")[-1].removeprefix("embedded:")
