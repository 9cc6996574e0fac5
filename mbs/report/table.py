"""The table that a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from mbs.data.languages import LANGUAGES
from mbs.metrics import holm
from mbs.metrics.accuracy import FEWEST_ITEMS
from mbs.report.compare import GENERATED, is_generated

MODELS = ("dense", "compressed")
WIDTH = 112  # of the tables; a narrower terminal breaks lines rather than figures
TASK_NOTE = (
    "accuracy ± standard error; change ± standard error of the paired difference, * where it is a finding (1,000 items"
    " or more, McNemar with Holm over languages, 5 %); kept: accuracy above chance; flips: answers that changed;"
    " margin, ECE and Brier: change"
)


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the content of `result.json`: languages by training share, summary, tasks."""
    console.print(_title(result), highlight=False, soft_wrap=True)
    if result["languages"]:
        console.print(_languages(result))
        for line in _closing(result):
            console.print(line, highlight=False, soft_wrap=True)
        shares = result["shares"]
        unit = f"share in {shares['unit']} ({shares['source']}); " if shares else "training shares undeclared; "
        console.print(
            f"{unit}segs calibration segments; ppl perplexity; harm in nats per token, with its 95 % interval over"
            " documents; lost the part of what was learnt; KL(dense || compressed) in nats per token;"
            " bpb compressed bits per byte",
            highlight=False,
            soft_wrap=True,
        )
    for family, rows in result["tasks"].items():
        console.print()
        console.print(_task(family, rows))
    if result["tasks"]:
        console.print(TASK_NOTE, highlight=False, soft_wrap=True)
    if is_generated(result) and not result["languages"]:
        console.print(GENERATED, highlight=False, soft_wrap=True)


def harms(result: Mapping[str, Any]) -> list[str]:
    """Mean and worst-quarter harm of a result in words, for one line; nothing where no text was measured."""
    summary = result["summary"]
    if summary is None:
        return []
    return [f"mean harm {summary['harm_mean']:+.4f}", f"worst quarter {summary['harm_cvar']:+.4f}"]


def _languages(result: Mapping[str, Any]) -> Table:
    table = _table("share %", "segs", "dense ppl", "ppl", "harm", "95 %", "lost %", "KL", "bpb")
    segments = result["calibration"]["segments"]
    for code, row in result["languages"].items():
        table.add_row(
            f"{code} {_name(code, result)}",
            "-" if row["share"] is None else f"{100 * row['share']:.3g}",
            str(segments.get(code, 0)) if result["calibration"]["used"] else "-",
            f"{row['dense']['perplexity']:.4g}",
            f"{row['compressed']['perplexity']:.4g}",
            f"{row['harm']:+.4f}",
            between(row["interval"]),
            "-" if row["lost"] is None else f"{100 * row['lost']:.1f}",
            "-" if row["divergence"] is None else f"{row['divergence']:.3f}",
            f"{row['compressed']['bits_per_byte']:.4f}",
        )
    return table


def _task(family: str, rows: Mapping[str, Any]) -> Table:
    table = _table(
        "n", "dense", "compressed", "change", "kept %", "flips %", "margin", "KL", "ECE", "Brier", name=family
    )
    findings = is_finding(rows)
    for code, row in rows.items():
        mark = "*" if findings[code] else ""
        cells = [
            str(row["n"]),
            f"{row['accuracy_dense']:.3f} ±{row['error_dense']:.3f}",
            f"{row['accuracy_compressed']:.3f} ±{row['error_compressed']:.3f}",
            f"{row['difference']:+.3f} ±{row['difference_error'] or 0:.3f}{mark}",
            "-" if row["retention"] is None else f"{100 * row['retention']:.0f}",
        ]
        if row["flips"] is not None:
            changes = [row[key]["change"] for key in ("margin", "calibration_error", "brier")]
            cells += [f"{100 * row['flips']:.1f}", f"{changes[0]:+.3f}", f"{row['divergence']:.4f}"]
            cells += [f"{change:+.3f}" for change in changes[1:]]
        table.add_row(code, *cells)
    return table


def _table(*columns: str, name: str = "language") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _name(code: str, result: Mapping[str, Any]) -> str:
    return LANGUAGES[code].name if code in LANGUAGES else str(result["config"]["extra_languages"][code]["name"])


def between(interval: Mapping[str, Any] | None) -> str:
    """An interval's bounds, or a dash where there are none."""
    if interval is None or interval["low"] is None:
        return "-"
    return f"{interval['low']:+.3f} .. {interval['high']:+.3f}"


def is_finding(rows: Mapping[str, Any], level: float = 0.05) -> dict[str, bool]:
    """In which languages a difference in accuracy may be called one: McNemar with Holm, and at least 1,000 items."""
    adjusted = holm([row["p"] for row in rows.values()])
    return {
        code: bool(p < level) and row["n"] >= FEWEST_ITEMS
        for (code, row), p in zip(rows.items(), adjusted, strict=True)
    }


def _title(result: Mapping[str, Any]) -> str:
    sparsity = result["sparsity"]
    target = f"{sparsity['requested']} (achieved {sparsity['achieved']:.4f})"
    return f"{result['pruner']} at sparsity {target}, mix {result['mix']}"


def _closing(result: Mapping[str, Any]) -> list[str]:
    summary, calibration = result["summary"], result["calibration"]
    tail, worst = summary["cvar_crossfitted"], summary["worst_crossfitted"]
    lines = [
        f"mean harm          {summary['harm_mean']:+.4f}  {between(summary['mean_interval'])}",
        f"worst quarter      {summary['harm_cvar']:+.4f}{_crossfitted(tail)}",
        f"worst harm         {summary['harm_worst']:+.4f} ({summary['worst_language']}){_crossfitted(worst)}",
    ]
    if summary["harm_low_resource"] is not None:
        low = ", ".join(summary["low_resource_languages"])
        lines.append(f"low-resource harm  {summary['harm_low_resource']:+.4f} ({low})")
    changes = result["groups"].get("resource", {})
    if len(changes) > 1:
        order = [name for name in ("high", "medium", "low", "undeclared") if name in changes]
        listed = ", ".join(f"{name} {changes[name]['change']:+.1f} %" for name in order)
        lines.append(f"perplexity of languages by declared resource: {listed}")
    written = [row for row in result["continuations"].values() if row["compressed"]["wrong_language"] is not None]
    if written:
        wrong, repeated = (_of_both(written, key) for key in ("wrong_language", "repetition"))
        lines.append(f"continuations in the wrong language {wrong}, repeated {repeated} (continuations.jsonl)")
    if summary["not_learnt"]:
        lines.append(f"not learnt, left out of the worst: {', '.join(summary['not_learnt'])}")
    if not calibration["used"]:
        lines.append("no calibration text is needed: the mix plays no part")
    if is_generated(result):
        lines.append(GENERATED)
    if calibration["dropped_languages"]:
        lines.append(f"not in the corpus, left out of the mix: {', '.join(calibration['dropped_languages'])}")
    if calibration["languages_without_segment"]:
        lines.append(f"without a segment: {', '.join(calibration['languages_without_segment'])}")
    return lines


def _of_both(written: list[Mapping[str, Any]], key: str) -> str:
    """The mean over the languages in which it is known, of the dense and of the compressed model."""
    known = {model: [row[model][key] for row in written if row[model][key] is not None] for model in MODELS}
    return " -> ".join(f"{100 * fmean(values):.0f}" if values else "-" for values in known.values()) + " %"


def _crossfitted(tail: Mapping[str, Any] | None) -> str:
    if tail is None:
        return ""
    chosen = ", ".join(tail["chosen"])
    return f"; cross-fitted {tail['interval']['value']:+.4f}  {between(tail['interval'])} ({chosen})"
