"""`python -m mbs.report OUTPUTS`: the runs of a folder side by side, as a table and as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mbs.errors import MbsError
from mbs.metrics import Interval
from mbs.report.choose import CRITERIA, choose
from mbs.report.compare import GENERATED, Group, Run, for_choosing, groups, read_runs
from mbs.report.figures import draw_harm, label

WIDTH = 100  # a table of four conditions; a narrower terminal breaks its lines rather than its figures


def cell(found: Interval) -> str:
    """A value with the half width of its interval."""
    return f"{found.value:+.3f}" + ("" if found.low is None else f" ±{found.value - found.low:.3f}")


def rows_of(group: Group) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """The header of a group's table of harm, a row per language, and a row per summary."""
    held = group.conditions
    header = ["language", "share, %", "dense ppl", *map(label, held)]
    languages = [
        [code, "-" if share is None else f"{100 * share:.3g}", f"{group.dense[code]:.4g}",
         *(cell(runs.harm(code)) for runs in held.values())]
        for code, share in group.shares.items()
    ]  # fmt: skip
    summaries = [runs.summary() for runs in held.values()]
    return header, languages, [[name, "", "", *(cell(summary[name]) for summary in summaries)] for name in summaries[0]]


def tasks_of(group: Group) -> tuple[list[str], list[list[str]]]:
    """The header of a group's table of accuracy, and a row per task and language: dense, and the change."""
    held = group.conditions
    rows = []
    for task, languages in group.first["tasks"].items():
        for language in languages:
            found = [runs.accuracy(task, language) for runs in held.values()]
            dense = found[0]["dense"]
            rows.append([task, language, str(dense.documents), f"{dense.value:.3f}",
                         *(cell(one["difference"]) for one in found)])  # fmt: skip
    return ["task", "language", "n", "dense", *map(label, held)], rows


def show_group(group: Group, console: Console) -> None:
    """Print languages by training share with a column of harm per condition, summaries, and tasks."""
    seeds = sorted({len(runs.runs) for runs in group.conditions.values()})
    counted = " or ".join(map(str, seeds))
    note = f" ({GENERATED})" if group.generated else ""
    if group.shares:
        header, languages, summaries = rows_of(group)
        title = (
            f"{group.model} at sparsity {group.sparsity}: harm in nats per token ± 95 % over documents and {counted}"
        )
        console.print(f"{title} seeds{note}", soft_wrap=True, highlight=False)
        table = _table(header)
        for row in languages:
            table.add_row(*row)
        for row in summaries:
            table.add_row(f"{row[0]} harm", *row[1:], style="bold")
        console.print(table)
    if group.first["tasks"]:
        header, rows = tasks_of(group)
        console.print(f"{group.model} at sparsity {group.sparsity}: change of accuracy ± 95 %", soft_wrap=True)
        table = _table(header)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print()


def _table(header: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(header[0], no_wrap=True)
    for column in header[1:]:
        table.add_column(column.replace(", ", "\n").replace(" (", "\n("), justify="right", no_wrap=True)
    return table


def markdown(group: Group) -> str:
    """The same tables for a README."""
    text = ""
    if group.shares:
        header, languages, summaries = rows_of(group)
        bold = [[f"**{name}**", *cells] for name, *cells in summaries]
        text = f"### {group.model} at sparsity {group.sparsity}\n\n{_markdown(header, [*languages, *bold])}\n"
    if group.first["tasks"]:
        text += f"\n{_markdown(*tasks_of(group))}\n"
    return text


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    import pandas as pd

    return str(pd.DataFrame(rows, columns=header).to_markdown(index=False, disable_numparse=True))


def main() -> int:
    """Print a table per model and sparsity, draw the picture, say what to type next."""
    parser = argparse.ArgumentParser(prog="python -m mbs.report", description=__doc__)
    parser.add_argument("outputs", type=Path, nargs="?", default=Path("outputs"))
    parser.add_argument("--picture", type=Path, help="where to draw; default: OUTPUTS/harm.png")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a README")
    parser.add_argument("--choose", choices=CRITERIA, help="name the condition with the least harm by this measure")
    asked = parser.parse_args()
    console = Console(width=max(WIDTH, Console().width))
    try:
        runs = read_runs(asked.outputs)
        if asked.choose:
            return _chosen(runs, asked.choose, console)
        return _report(runs, asked, console)
    except MbsError as error:
        print(error.line, file=sys.stderr)
        return 2


def _chosen(runs: list[Run], criterion: str, console: Console) -> int:
    for group, condition, found in choose(runs, criterion):
        line = f"{group.model} at sparsity {group.sparsity}: {label(condition)}, {criterion} harm {cell(found)}"
        console.print(line, soft_wrap=True, highlight=False)
    console.print("chosen on the first half of the documents; report it with evaluation.split=second", soft_wrap=True)
    return 0


def _report(runs: list[Run], asked: argparse.Namespace, console: Console) -> int:
    reported = [run for run in runs if not for_choosing(run)]
    if len(reported) < len(runs):
        left_out = f"{len(runs) - len(reported)} runs with evaluation.split=first are there to choose by (--choose)"
        print(f"mbs: {left_out} and are left out", file=sys.stderr)
    if not reported:
        raise MbsError("no run to report", "runs with evaluation.split=second or all", "--choose worst-quarter")
    found = groups(reported)
    for group in found:
        if asked.markdown:
            print(markdown(group))
        else:
            show_group(group, console)
    drawn = [group for group in found if group.shares]
    if drawn:
        picture = asked.picture or asked.outputs / "harm.png"
        draw_harm(drawn, picture)
        console.print(f"picture in {picture}", soft_wrap=True)
    if any(group.generated for group in found) and not asked.markdown:
        console.print(f"{GENERATED}; with your own model and text:", soft_wrap=True)
        console.print(
            "  mbs -m experiment=mixes model.path=MODEL model.shares=SHARES.json corpus.path=TEXT evaluation.path=NEWS",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
