"""`python -m mbs.report OUTPUTS`: the runs of a folder side by side, as a table and as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mbs.errors import MbsError
from mbs.report.compare import GENERATED, Group, groups, read_results
from mbs.report.figures import draw_harm, label

WIDTH = 100  # a table of four conditions; a narrower terminal breaks its lines rather than its figures


def show_group(group: Group, console: Console) -> None:
    """Print languages by training share, a column of harm per condition, and mean, worst and low-resource harm."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language", no_wrap=True)
    for column in (
        "share %",
        "dense ppl",
        *(label(condition).replace(", ", "\n").replace(" (", "\n(") for condition in group.harm),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for code, share in group.shares.items():
        cells = ["-" if share is None else f"{100 * share:.3g}", f"{group.dense[code]:.4g}"]
        table.add_row(code, *cells, *(str(spreads[code]) for spreads in group.harm.values()))
    summaries = [group.summary(condition) for condition in group.harm]
    for row in summaries[0]:
        table.add_row(f"{row} harm", "", "", *(f"{summary[row]:+.3f}" for summary in summaries), style="bold")
    note = f" ({GENERATED})" if group.generated else ""
    title = f"{group.model} at sparsity {group.sparsity}: harm in nats per token, mean ± deviation over seeds{note}"
    console.print(title, soft_wrap=True, highlight=False)
    console.print(table)
    console.print()


def markdown(group: Group) -> str:
    """The same table for a README."""
    header = ["language", "share, %", "dense ppl", *map(label, group.harm)]
    rows = [header, ["---"] * len(header)]
    for code, share in group.shares.items():
        cells = ["-" if share is None else f"{100 * share:.3g}", f"{group.dense[code]:.1f}"]
        rows.append([code, *cells, *(str(spreads[code]) for spreads in group.harm.values())])
    summaries = [group.summary(condition) for condition in group.harm]
    for row in summaries[0]:
        rows.append([f"**{row}**", "", "", *(f"{summary[row]:+.3f}" for summary in summaries)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"### {group.model} at sparsity {group.sparsity}\n\n{table}\n"


def main() -> int:
    """Print a table per model and sparsity, draw the picture, say what to type next."""
    parser = argparse.ArgumentParser(prog="python -m mbs.report", description=__doc__)
    parser.add_argument("outputs", type=Path, nargs="?", default=Path("outputs"))
    parser.add_argument("--picture", type=Path, help="where to draw; default: OUTPUTS/harm.png")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a README")
    asked = parser.parse_args()
    console = Console(width=max(WIDTH, Console().width))
    try:
        found = groups(read_results(asked.outputs))
    except MbsError as error:
        print(error.line, file=sys.stderr)
        return 2
    for group in found:
        if asked.markdown:
            print(markdown(group))
        else:
            show_group(group, console)
    picture = asked.picture or asked.outputs / "harm.png"
    draw_harm(found, picture)
    console.print(f"picture in {picture}", soft_wrap=True)
    if asked.markdown:
        return 0
    if any(group.generated for group in found):
        console.print(f"{GENERATED}; with your own model and text:", soft_wrap=True)
        console.print(
            "  mbs -m experiment=mixes model.path=MODEL model.shares=SHARES.json corpus.path=TEXT evaluation.path=NEWS",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
