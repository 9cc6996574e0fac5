"""An estimate, and what every calibration seed and every document contributes to its error.

Seeds and documents are crossed: every seed is measured on the same documents. To first order (the delta method) the
error of a statistic is then a sum over seeds plus a sum over documents. Keeping both sums term by term lets estimates
be added and subtracted: what two languages or two conditions share cancels or adds up by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError

Array = np.ndarray


@dataclass(frozen=True)
class Interval:
    """A value between its bounds; these are None where nothing is left to measure the error with.

    `seeds=1` says that the interval is about documents alone: what another calibration seed would give is unknown.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    seeds: int
    documents: int


@dataclass(frozen=True)
class Estimate:
    """A value and its error, term by term.

    `by_seed` and `by_document` map the name of a set of seeds or documents to one number for each member, in the unit
    of the value, which sum to zero: how far that member by itself moves the value from what the others say. Sets of
    different names are independent. `by_seed` is empty with a single seed. `documents` is the size of the smallest
    sample.
    """

    value: float
    by_seed: Mapping[str, Array]
    by_document: Mapping[str, Array]
    seeds: int
    documents: int


def interval(estimate: Estimate, level: float = 0.95) -> Interval:
    """The estimate with a symmetric interval that covers its target in `level` of repetitions.

    Over the sets of seeds and of documents, with variances `v = n / (n - 1) sum z^2` that make up the parts `q` of
    their sum, the squared half width is `sum v (t^2 + sum q^2 (t_k^2 - t^2))`, `t` the normal quantile and `t_k`
    Student's at the n - 1 degrees of freedom of a set: exact where one set has all the variance, and between such
    cases the first order of Welch (1947). It covers 94.3-95.8 % for three normal seeds and 61 documents, where the
    degrees of freedom of Satterthwaite (1946) cover 92.3-95.1 % (docs/statistics.md).
    """
    if not 0 < level < 1:
        raise MbsError(f"a level of {level}", "a number between 0 and 1", "0.95")
    half = _half_width([*estimate.by_seed.values(), *estimate.by_document.values()], level)
    bounded = math.isfinite(half)
    low, high = (estimate.value - half, estimate.value + half) if bounded else (None, None)
    return Interval(estimate.value, low, high, level, estimate.seeds, estimate.documents)


def combine(terms: Sequence[tuple[float, Estimate]]) -> Estimate:
    """The weighted sum of estimates; sets of one name are the same seeds or documents and add up member by member.

    An estimate with a single seed enters as one that no seed moves.
    """
    if not terms:
        raise MbsError("no language", "one or more")
    counts = {estimate.seeds for _, estimate in terms} - {1}
    return Estimate(
        value=math.fsum(weight * estimate.value for weight, estimate in terms),
        by_seed=_sum([(weight, estimate.by_seed) for weight, estimate in terms], "calibration seeds"),
        by_document=_sum([(weight, estimate.by_document) for weight, estimate in terms], "documents"),
        seeds=min(counts, default=1),
        documents=min(estimate.documents for _, estimate in terms),
    )


def difference(a: Estimate, b: Estimate, same_seeds: bool = True) -> Estimate:
    """`a - b` of two conditions on the same documents, refused where the documents differ.

    With `same_seeds` the k-th seed of one is the k-th of the other, and what both share cancels; without, the seeds are
    independent samples. A condition that uses no calibration text has one seed and is set against every seed of the
    other.
    """
    if a.by_document.keys() != b.by_document.keys():
        raise MbsError(
            f"conditions measured on {', '.join(a.by_document)} and on {', '.join(b.by_document)}",
            "the same languages and documents in both",
        )
    if not same_seeds:
        b = Estimate(b.value, {f"other {k}": z for k, z in b.by_seed.items()}, b.by_document, b.seeds, b.documents)
    return combine([(1.0, a), (-1.0, b)])


def _sum(terms: Sequence[tuple[float, Mapping[str, Array]]], what: str) -> dict[str, Array]:
    total: dict[str, Array] = {}
    for weight, sets in terms:
        for name, z in sets.items():
            if name in total and total[name].shape != z.shape:
                raise MbsError(f"{len(total[name])} and {len(z)} {what}", f"as many {what} in both")
            total[name] = total[name] + weight * z if name in total else weight * z
    return total


def _half_width(sets: Sequence[Array], level: float) -> float:
    """Infinite where a set has a single member."""
    from scipy.special import ndtri, stdtrit

    if any(len(z) < 2 for z in sets):
        return math.inf
    variances = [len(z) / (len(z) - 1) * float(z @ z) for z in sets]
    total = math.fsum(variances)
    if total == 0:
        return 0.0
    p = (1 + level) / 2
    normal = float(ndtri(p)) ** 2
    wider = (float(stdtrit(len(z) - 1, p)) ** 2 - normal for z in sets)
    return math.sqrt(total * (normal + math.fsum(w * (v / total) ** 2 for w, v in zip(wider, variances, strict=True))))
