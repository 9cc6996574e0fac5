"""Languages near and far: heat maps with their trees, and the table that a person reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mbs.errors import MbsError
from mbs.evaluation.similarity import Clustering, Similarity
from mbs.run.survey import Survey, as_json
from mbs.storage.digests import strict_json
from mbs.storage.files import write_whole

TITLES = {"published": "squared feature norms, as published", "standardised": "norms, standardised per dimension"}
CELL = 0.36  # inches: a two-digit number of 7 points fits
TREE = 1.3  # inches


@dataclass(frozen=True)
class Panel:
    """One heat map with its tree."""

    title: str
    similarity: Similarity
    clustering: Clustering


def write(found: Survey) -> None:
    """The picture, the tidy table, and last, as the mark that all is there, `similarity.json`."""
    directory = found.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsError(f"outputs={directory.parent}: {error.strerror}", "a folder that can be written") from error
    (directory / "similarity.json").unlink(missing_ok=True)
    panels = [Panel(TITLES[name], similarity, merged) for name, (similarity, merged) in found.measures.items()]
    draw(panels, directory / "similarity.png")
    write_whole(directory / "similarity.csv", _table(found).encode())
    write_whole(directory / "similarity.json", strict_json(as_json(found), indent=1).encode())


def draw(panels: Sequence[Panel], file: Path) -> None:
    """One heat map of cosines per panel, rows and columns in the order of the tree above it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = max(3.2, CELL * len(panels[0].similarity.languages))
    figure = Figure(figsize=((side + 1.5) * len(panels), side + TREE + 1.1), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2 * len(panels), height_ratios=(TREE, side), width_ratios=(side, 0.2) * len(panels))
    for number, panel in enumerate(panels):
        tree = figure.add_subplot(grid[0, 2 * number])
        tree.set_title(panel.title, fontsize=10)
        _draw_tree(tree, panel.clustering)
        _draw_map(figure, figure.add_subplot(grid[1, 2 * number]), figure.add_subplot(grid[1, 2 * number + 1]), panel)
    content = io.BytesIO()
    figure.savefig(content)
    write_whole(file, content.getvalue())


def _draw_tree(axes: Any, clustering: Clustering) -> None:
    """The tree upright, its leaves over the columns of the map: scipy puts leaf k at 10 k + 5."""
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(clustering.linkage, no_plot=True)
    for across, up in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot((np.asarray(across) - 5) / 10, up, color="#444444", linewidth=1)
    axes.set_xlim(-0.5, len(clustering.order) - 0.5)
    axes.set_ylim(0, 1.05 * clustering.linkage[:, 2].max() or 1)
    axes.set_xticks([])
    axes.set_ylabel("1 - cosine", fontsize=8)
    axes.tick_params(labelsize=7)
    for edge in ("top", "right", "bottom"):
        axes.spines[edge].set_visible(False)


def _draw_map(figure: Any, axes: Any, bar: Any, panel: Panel) -> None:
    """Cosines as colours; as figures the angles, as published, or where cosines have signs their hundredths.

    The diagonal, always one, is left out of the scale of colours.
    """
    order = panel.clustering.order
    places = [panel.similarity.languages.index(code) for code in order]
    cosine, angle = (matrix[np.ix_(places, places)] for matrix in (panel.similarity.cosine, panel.similarity.angle))
    apart = cosine[~np.eye(len(order), dtype=bool)]
    signed = apart.min() < 0
    high = float(np.abs(apart).max()) if signed else float(apart.max())
    low = -high if signed else float(apart.min())
    masked = np.ma.masked_array(cosine, np.eye(len(order), dtype=bool))
    image = axes.imshow(masked, cmap="RdBu_r" if signed else "viridis", vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(order)), order, rotation=90, fontsize=8)
    axes.set_yticks(range(len(order)), order, fontsize=8)
    for i, j in np.argwhere(~np.eye(len(order), dtype=bool)):
        relative = (cosine[i, j] - low) / ((high - low) or 1)
        light = 0.2 < relative < 0.8 if signed else relative > 0.6
        figures = 100 * cosine[i, j] if signed else angle[i, j]
        shown, colour = f"{round(figures)}".replace("-", "\N{MINUS SIGN}"), "black" if light else "white"
        axes.text(j, i, shown, ha="center", va="center", fontsize=6.5, color=colour)
    figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=7)
    bar.set_title("cosine", fontsize=8)
    axes.set_xlabel("figures: " + ("100 x cosine" if signed else "angle in degrees"), fontsize=8)


def show(measures: Mapping[str, tuple[Similarity, Clustering]], console: Console) -> None:
    """Print each language's nearest and farthest by every measure, and the merges of every clustering."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language", no_wrap=True)
    for name in measures:
        for which in ("nearest", "farthest"):
            table.add_column(f"{which},\n{name}", no_wrap=True)
    for code in next(iter(measures.values()))[0].languages:
        cells = [code]
        for similarity, _ in measures.values():
            cells += [_cell(similarity, code, other) for other in (similarity.nearest(code), similarity.farthest(code))]
        table.add_row(*cells)
    console.print(table)
    console.print("each with its cosine; angles and distances stand in similarity.json", highlight=False)
    for name, (_, clustering) in measures.items():
        console.print(f"clusters, {name} (1 - cosine at which they merge, mean over pairs)", highlight=False)
        for merge in clustering.merges:
            text = f"{merge.height:9.4f}  {' '.join(merge.left)} + {' '.join(merge.right)}"
            console.print(text, highlight=False, soft_wrap=True)
    if "standardised" not in measures:
        console.print("standardised: needs three languages, since two are always opposite", highlight=False)


def _cell(similarity: Similarity, language: str, other: str) -> str:
    at = similarity.languages.index(language), similarity.languages.index(other)
    return f"{other:7} {similarity.cosine[at]:6.3f}"


def _table(found: Survey) -> str:
    """One row per ordered pair of languages and measure."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("measure", "language", "other", "cosine", "angle", "distance"))
    for name, (similarity, _) in found.measures.items():
        matrices = (similarity.cosine, similarity.angle, similarity.distance)
        for i, one in enumerate(similarity.languages):
            for j, other in enumerate(similarity.languages):
                rows.writerow((name, one, other, *(repr(float(matrix[i, j])) for matrix in matrices)))
    return text.getvalue()
