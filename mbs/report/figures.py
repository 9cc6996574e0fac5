"""Pictures of compared runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mbs.report.compare import GENERATED, Condition, Group

LINES = ("-", "--", "-.")
COLOURS = {"english": "#c1442e", "uniform": "#2f6f9f", "mbs": "#3b8a4f", "": "#8a8a8a"}
MARKS = {"english": "s", "uniform": "o", "mbs": "D", "": "x"}


def label(condition: Condition) -> str:
    """What a person calls a condition."""
    pruner, mix = condition
    return f"{pruner}, {mix}" if mix else f"{pruner} (no text)"


def draw_harm(groups: Sequence[Group], file: Path) -> None:
    """One panel per model: harm of every language by training share, with 95 % intervals over seeds and documents."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    languages = max((len(group.dense) for group in groups), default=0)
    figure = Figure(figsize=(max(9, 0.65 * languages), 0.6 + 3.2 * len(groups)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, group in zip(figure.subplots(len(groups), 1, squeeze=False)[:, 0], groups, strict=True):
        codes = list(group.dense)
        pruners = sorted({pruner for pruner, mix in group.conditions if mix})
        for number, (condition, runs) in enumerate(group.conditions.items()):
            at = [place + 0.08 * (number - (len(group.conditions) - 1) / 2) for place in range(len(codes))]
            found = [runs.harm(code) for code in codes]
            bars = [0.0 if one.low is None else one.value - one.low for one in found]
            mix = condition[1]
            line = LINES[pruners.index(condition[0]) % len(LINES)] if mix else ":"
            colour, mark = COLOURS.get(mix), MARKS.get(mix, "^")
            means = [one.value for one in found]
            axes.errorbar(
                at, means, yerr=bars, label=label(condition), capsize=2, linewidth=1, linestyle=line, color=colour,
                marker=mark, markersize=5,
            )  # fmt: skip
        shares = [group.shares[code] for code in codes]
        ticks = [
            code if share is None else f"{code}\n{100 * share:.3g} %" for code, share in zip(codes, shares, strict=True)
        ]
        axes.set_xticks(range(len(codes)), ticks, fontsize=8)
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_ylabel("harm, nats per token")
        note = f" ({GENERATED})" if group.generated else ""
        axes.set_title(f"{group.model} at sparsity {group.sparsity}{note}", fontsize=10)
        axes.legend(fontsize=8, frameon=False)
    figure.supxlabel("language and its share of the training text", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
