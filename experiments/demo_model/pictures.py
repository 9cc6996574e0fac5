"""Draw how the checkpoints learned, and what each language pays at every sparsity on development text."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mbs.report.compare import GENERATED, groups, read_runs

HERE = Path(__file__).parent


def draw(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]], x: str, y: str, file: Path
) -> None:
    """One panel per checkpoint, one line and colour per language."""
    figure = Figure(figsize=(10, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    colours = {code: f"C{number}" for number, code in enumerate(panels["demo"])}
    for axis, (name, lines) in zip(axes, sorted(panels.items()), strict=True):
        for code in colours:
            axis.plot(*lines[code], marker=".", label=code, color=colours[code])
        axis.set_title(name, fontsize=10)
        axis.set_xlabel(x)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(y)
    axes[-1].legend(fontsize=8, frameon=False)
    figure.suptitle(GENERATED, fontsize=9)
    figure.savefig(file)


def main() -> None:
    """Draw both pictures beside the README and print the means over languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("outputs/demo_model"))
    parser.add_argument("--sweep", type=Path, default=Path("outputs/demo_sparsity"))
    asked = parser.parse_args()
    learned = {}
    for file in sorted(asked.work.glob("demo*.json")):
        history = json.loads(file.read_text())["history"]
        tokens = [point["tokens"] / 1e6 for point in history]
        learned[file.stem] = {code: (tokens, [p["nll"][code] for p in history]) for code in history[0]["nll"]}
    draw(learned, "million tokens", "held-out nats per token", HERE / "training.png")
    paid: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for group in groups(read_runs(asked.sweep)):
        (runs,) = group.conditions.values()
        lines = paid.setdefault(group.model, {})
        for code in group.shares:
            across, values = lines.setdefault(code, ([], []))
            across.append(float(group.sparsity))
            values.append(runs.harm(code).value)
        print(group.model, group.sparsity, *(f"{name} {found.value:+.4f}" for name, found in runs.summary().items()))
    draw(paid, "sparsity (wanda, mbs mix)", "harm, nats per token", HERE / "sparsity.png")


if __name__ == "__main__":
    main()
