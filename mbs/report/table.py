"""The table that a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mbs.languages import LANGUAGES
from mbs.report.compare import GENERATED, is_generated


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the content of `result.json`: languages by training share, then mean, worst and low-resource harm."""
    shares = result["shares"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language", no_wrap=True)
    for column in ("share %", "segs", "dense ppl", "ppl", "harm", "bpb"):
        table.add_column(column, justify="right", no_wrap=True)
    segments = result["calibration"]["segments"]
    for code, row in result["languages"].items():
        name = LANGUAGES[code].name if code in LANGUAGES else result["config"]["extra_languages"][code]["name"]
        table.add_row(
            f"{code} {name}",
            "-" if row["share"] is None else f"{100 * row['share']:.3g}",
            str(segments.get(code, 0)) if result["calibration"]["used"] else "-",
            f"{row['dense']['perplexity']:.4g}",
            f"{row['compressed']['perplexity']:.4g}",
            f"{row['harm']:+.4f}",
            f"{row['compressed']['bits_per_byte']:.4f}",
        )
    console.print(_title(result), highlight=False, soft_wrap=True)
    console.print(table)
    for line in _closing(result):
        console.print(line, highlight=False, soft_wrap=True)
    unit = f"share in {shares['unit']} ({shares['source']}); " if shares else "training shares undeclared; "
    console.print(
        f"{unit}segs calibration segments; ppl perplexity; harm in nats per token; bpb compressed bits per byte",
        highlight=False,
        soft_wrap=True,
    )


def _title(result: Mapping[str, Any]) -> str:
    sparsity = result["sparsity"]
    target = f"{sparsity['requested']} (achieved {sparsity['achieved']:.4f})"
    return f"{result['pruner']} at sparsity {target}, mix {result['mix']}"


def _closing(result: Mapping[str, Any]) -> list[str]:
    summary, calibration = result["summary"], result["calibration"]
    lines = [
        f"mean harm          {summary['harm_mean']:+.4f}",
        f"worst harm         {summary['harm_worst']:+.4f} ({summary['worst_language']})",
    ]
    if summary["harm_low_resource"] is not None:
        low = ", ".join(summary["low_resource_languages"])
        lines.append(f"low-resource harm  {summary['harm_low_resource']:+.4f} ({low})")
    if not calibration["used"]:
        lines.append("no calibration text is needed: the mix plays no part")
    if is_generated(result):
        lines.append(GENERATED)
    if calibration["dropped_languages"]:
        lines.append(f"not in the corpus, left out of the mix: {', '.join(calibration['dropped_languages'])}")
    if calibration["languages_without_segment"]:
        lines.append(f"without a segment: {', '.join(calibration['languages_without_segment'])}")
    return lines
