"""Runs side by side: what every language pays under every pruner and mix, with intervals over seeds and documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mbs.data.languages import LANGUAGES
from mbs.errors import MbsError
from mbs.evaluation.tasks.rows import GENERATED as GENERATED_ROWS
from mbs.metrics import Deltas, Estimate, Interval, cvar_harm, harm_estimate, interval, mean_estimate, worst_harm
from mbs.storage.digests import digest
from mbs.storage.record import RESULT, read_record

GENERATED = "generated text; says nothing about the real languages"
# What may differ between runs of one condition.
INCIDENTAL = ("seed", "outputs", "tracker", "rerun", "save", "batch_tokens")
Condition = tuple[str, str]  # pruner and mix; no mix where no text is used


@dataclass(frozen=True)
class Run:
    """A finished run: the content of its `result.json`, and where it lies."""

    result: Mapping[str, Any]
    directory: Path

    @cached_property
    def deltas(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By language, NLL(compressed) - NLL(dense) of each document in nats, and its scored tokens."""
        rows = _columns(self.directory / "scores.parquet", ["language", "tokens", "nll_dense", "nll_compressed"])
        found = {}
        for language in self.result["languages"]:
            mine = (rows["language"] == language) & (rows["tokens"] > 0)
            found[language] = (rows["nll_compressed"] - rows["nll_dense"])[mine], rows["tokens"][mine].astype(float)
        return found

    @cached_property
    def answers(self) -> dict[tuple[str, str], np.ndarray]:
        """By task and language, right answers of the dense and the compressed model `[2, n]`, as 0 and 1."""
        if not self.result["tasks"]:
            return {}
        rows = _columns(self.directory / "answers.parquet", ["task", "language", "correct_dense", "correct_compressed"])
        right = np.stack([rows["correct_dense"], rows["correct_compressed"]]).astype(float)
        return {
            (task, language): right[:, (rows["task"] == task) & (rows["language"] == language)]
            for task, languages in self.result["tasks"].items()
            for language in languages
        }


@dataclass(frozen=True)
class Runs:
    """Runs that differ in their calibration seed alone: one row of a table."""

    pruner: str
    mix: str
    runs: tuple[Run, ...]

    @property
    def first(self) -> Mapping[str, Any]:
        """The result of one of them, for what they share."""
        return self.runs[0].result

    @cached_property
    def deltas(self) -> dict[str, Deltas]:
        """Differences `[seeds, documents]` of every language."""
        languages = self.runs[0].deltas
        return {
            code: Deltas(np.stack([run.deltas[code][0] for run in self.runs]), tokens)
            for code, (_, tokens) in languages.items()
        }

    @property
    def parallel(self) -> bool:
        """Whether documents are translations of each other."""
        return bool((self.first["summary"] or {}).get("parallel"))

    def harm(self, language: str) -> Interval:
        """Harm in nats per token, over crossed seeds and documents."""
        return interval(harm_estimate(self.deltas[language]))

    def summary(self) -> dict[str, Interval]:
        """Mean, worst quarter and worst language (chosen on other cells than measured), low-resource mean."""
        counted = {code: held for code, held in self.deltas.items() if not _collection(code)}
        if not counted:
            return {}
        learnt = {
            code: held
            for code, held in counted.items()
            if all(run.result["languages"][code].get("learnt") is not False for run in self.runs)
        } or counted
        low = {code: counted[code] for code in self.first["summary"]["low_resource_languages"]}
        found: dict[str, Estimate] = {"mean": mean_estimate(counted, self.parallel)}
        if min(held.delta.shape[1] for held in learnt.values()) > 1:
            found["worst quarter"] = cvar_harm(learnt, self.parallel).estimate
            found["worst"] = worst_harm(learnt, self.parallel).estimate
        if low:
            found["low-resource"] = mean_estimate(low, self.parallel)
        return {name: interval(estimate) for name, estimate in found.items()}

    def accuracy(self, task: str, language: str) -> dict[str, Interval]:
        """Dense and compressed accuracy and their paired difference, over crossed seeds and items."""
        answers = np.stack([run.answers[task, language] for run in self.runs])
        items = np.ones(answers.shape[-1])
        values = {"dense": answers[:1, 0], "compressed": answers[:, 1], "difference": answers[:, 1] - answers[:, 0]}
        return {name: interval(harm_estimate(Deltas(value, items))) for name, value in values.items()}


@dataclass(frozen=True)
class Group:
    """Conditions on one model, text, sparsity and calibration budget, which may be compared."""

    model: str
    sparsity: str
    generated: bool
    conditions: Mapping[Condition, Runs]

    @property
    def first(self) -> Mapping[str, Any]:
        """The result of one run, for what all share."""
        return next(iter(self.conditions.values())).first

    @property
    def shares(self) -> dict[str, float | None]:
        """Training shares by language, in the order of the table."""
        return {code: row["share"] for code, row in self.first["languages"].items()}

    @property
    def dense(self) -> dict[str, float]:
        """Dense perplexity by language."""
        return {code: row["dense"]["perplexity"] for code, row in self.first["languages"].items()}


def read_runs(outputs: Path) -> list[Run]:
    """Every finished run under a folder; raises MbsError when there is none."""
    folders = sorted(file.parent for file in outputs.glob(f"*/{RESULT}"))
    if not folders:
        raise MbsError(f"no finished run in {outputs}", "a folder with */result.json", "mbs -m experiment=demo")
    without_tasks: dict[str, Any] = {"tasks": {}}  # as before there were any
    return [Run(without_tasks | (read_record(folder) or {}), folder) for folder in folders]


def for_choosing(run: Run) -> bool:
    """Whether a run saw the half of the documents that choices are made on."""
    return bool(run.result["config"]["evaluation"].get("split") == "first")


def groups(runs: Sequence[Run]) -> list[Group]:
    """Runs that may be compared: the same model, evaluation text and rows, sparsity and calibration budget.

    A pruner that uses no text stands in every group of its model, text and sparsity.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        key = digest({"content": run.result["content"], "sparsity": run.result["sparsity"]["requested"]})
        found.setdefault(key, []).append(run)
    made = []
    for alike in found.values():
        free = [run for run in alike if not run.result["calibration"]["used"]]
        budgets: dict[str, list[Run]] = {}
        for run in alike:
            if run.result["calibration"]["used"]:
                budgets.setdefault(digest(run.result["config"]["calibration"]), []).append(run)
        made += [_group([*held, *free]) for held in budgets.values()] or [_group(free)]
    return sorted(made, key=lambda group: (group.model, group.sparsity))


def is_generated(result: Mapping[str, Any]) -> bool:
    """Whether a run was evaluated on text or rows of the generated world."""
    if "evaluation" in result:
        return result["evaluation"]["text"].get("kind") == "generated" or GENERATED_ROWS in result["evaluation"]["rows"]
    corpus = (result["config"].get("evaluation") or {}).get("corpus") or {}
    return str(corpus.get("_target_", "")).startswith("mbs.data.corpora.demo.")


def _group(runs: Sequence[Run]) -> Group:
    first = runs[0].result
    conditions = dict(sorted(_conditions(runs).items()))
    return Group(_model_name(first), first["sparsity"]["requested"], is_generated(first), conditions)


def _conditions(runs: Sequence[Run]) -> dict[Condition, Runs]:
    """Runs that differ in their calibration seed alone; where more differs, the mix is named with a mark of its own."""
    found: dict[Condition, dict[str, list[Run]]] = {}
    for run in runs:
        result = run.result
        config = {key: value for key, value in result["config"].items() if key not in INCIDENTAL}
        used = result["calibration"]["used"]
        if not used:
            config = {key: value for key, value in config.items() if key not in ("mix", "corpus", "calibration")}
        mark = digest({"config": config, "numerics": result["numerics"]})[:4]
        alike = found.setdefault((result["pruner"], result["mix"] if used else ""), {}).setdefault(mark, [])
        seeds = [held.result["config"]["seed"] for held in alike]
        if (used and result["config"]["seed"] in seeds) or (not used and alike):  # a repeat is no other draw
            continue
        alike.append(run)
    return {
        (pruner, name): Runs(pruner, name, tuple(sorted(alike, key=lambda run: int(run.result["config"]["seed"]))))
        for (pruner, mix), variants in found.items()
        for mark, alike in variants.items()
        for name in [mix if len(variants) == 1 else f"{mix} #{mark}"]
    }


def _columns(file: Path, names: list[str]) -> dict[str, np.ndarray]:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file, columns=names)
    except (OSError, ValueError) as error:
        raise MbsError(f"{file} cannot be read ({error})", "the file beside result.json", "the run again") from error
    return {name: table[name].to_numpy() for name in names}


def _collection(code: str) -> bool:
    return code in LANGUAGES and LANGUAGES[code].collection


def _model_name(result: Mapping[str, Any]) -> str:
    return str(result["config"]["model"]["path"]).rstrip("/").split("/")[-1].removeprefix("embedded:")
