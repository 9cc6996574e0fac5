"""Which properties of a language go along with its harm: rank correlations, plain and partial, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray
SPARE = 4  # languages beyond the controls without which no correlation is computed


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho over `n` languages; a None comes with a `reason`."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    controls: int
    reason: str | None


def spearman(
    x: Sequence[float], y: Sequence[float], controls: Sequence[Sequence[float]] = (), level: float = 0.95
) -> Correlation:
    """The correlation of ranks, and with controls that of what the ranks of the controls leave of them.

    Ties get their mean rank; residuals are of least squares on the controls' ranks (partial rank correlation). The
    interval is `tanh(artanh rho +- z sqrt((1 + rho^2 / 2) / (n - 3 - controls)))` (Bonett and Wright, 2000), the
    number of controls taken off n as for Pearson's partial correlation (Fisher, 1924). No value where there are fewer
    than 5 languages beyond the controls, or where a variable is constant or follows from the controls.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    columns = [np.asarray(column, dtype=float) for column in (x, y, *controls)]
    n, q = len(columns[0]), len(controls)
    if any(column.shape != (n,) for column in columns) or not all(np.isfinite(column).all() for column in columns):
        raise MbsError(f"variables of {[len(column) for column in columns]} languages", "a number for each language")
    if n <= q + SPARE:
        return _without(n, q, f"{n} languages are too few with {q} controls: {q + SPARE + 1} or more")
    ranks = [rankdata(column) for column in columns]
    names = ("the first variable", "the second variable", *(f"control {k + 1}" for k in range(q)))
    for name, rank in zip(names, ranks, strict=True):
        if np.ptp(rank) == 0:
            return _without(n, q, f"{name} is the same for all languages")
    design = np.column_stack([np.ones(n), *ranks[2:]])
    a, b = (rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks[:2])
    for name, left, rank in zip(names[:2], (a, b), ranks[:2], strict=True):
        if left @ left < 1e-12 * np.square(rank - rank.mean()).sum():
            return _without(n, q, f"{name} follows from the controls")
    rho = min(1.0, max(-1.0, float(a @ b / math.sqrt((a @ a) * (b @ b)))))
    if 1 - abs(rho) < 1e-12:
        return Correlation(rho, None, None, n, q, "no interval: the order is the same or reversed throughout")
    half = float(ndtri((1 + level) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3 - q))
    return Correlation(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), n, q, None)


def _without(n: int, controls: int, reason: str) -> Correlation:
    return Correlation(None, None, None, n, controls, reason)
