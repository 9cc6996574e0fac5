"""The worst language and the worst quarter, chosen on other data than they are measured on.

The largest of noisy harms is partly the noisiest one: measured where it was chosen, it is too high, and no percentile
interval repairs that. So every cell, one calibration seed on one half of the documents, is measured for the languages
that are worst on the other half under the other seeds (cross-fitting, as in Chernozhukov et al., 2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mbs.errors import MbsError
from mbs.metrics.disparity import tail_size
from mbs.metrics.estimates import Array, Estimate
from mbs.metrics.intervals import DOCUMENTS, SEEDS, Deltas, contributions, same_shape
from mbs.metrics.selection import DRAWS, inflation, worst_on_other_cells

HALVES = (slice(0, None, 2), slice(1, None, 2))  # documents 0, 2, 4... and 1, 3, 5...


@dataclass(frozen=True)
class Tail:
    """The harm of the languages that were chosen, and in which part of the cells each was, the most frequent first.

    The target is the true harm of the languages so chosen, averaged over cells: at most that of the truly worst.
    """

    estimate: Estimate
    chosen: Mapping[str, float]


def worst_harm(languages: Mapping[str, Deltas], parallel: bool, draws: int = DRAWS) -> Tail:
    """The harm of the worst language, cross-fitted; pass those languages alone that the dense model has learnt."""
    return tail_harm(languages, parallel, 1, draws)


def cvar_harm(languages: Mapping[str, Deltas], parallel: bool, draws: int = DRAWS) -> Tail:
    """The mean harm of the worst quarter of the languages, `ceil(n / 4)` of them, cross-fitted as `worst_harm`."""
    return tail_harm(languages, parallel, tail_size(len(languages)), draws)


def tail_harm(languages: Mapping[str, Deltas], parallel: bool, size: int, draws: int = DRAWS) -> Tail:
    """The mean harm of the `size` worst languages, each cell of seed and half measured once and weighted equally.

    With one seed, languages are chosen and measured under that seed, on different halves. The error terms are those of
    the chosen languages; what sets them apart from the mean over languages is widened by what choosing adds, simulated
    with `draws` (`inflation`), while the error that all languages share is left as it is and cancels in differences.
    """
    same_shape(languages, parallel)
    fewest = min(deltas.delta.shape[1] for deltas in languages.values())
    if fewest < 2 or not 1 <= size <= len(languages):
        raise MbsError(f"the worst {size} of {len(languages)} languages on {fewest} documents", "two documents or more")
    names = sorted(languages)
    ratios = np.stack([_ratios(languages[name]) for name in names])
    weights = worst_on_other_cells(ratios, size)
    terms = [[_contributions(languages[name], half) for name in names] for half in HALVES]
    own = [[row.mean(axis=0) for row in rows] for rows in terms]
    wider = math.sqrt(inflation(ratios, own, size, parallel, draws))

    by_document: dict[str, Array] = {}
    for half, rows in enumerate(terms):
        chosen = [(w[half][:, None] * row).mean(axis=0) / 2 for w, row in zip(weights, rows, strict=True)]
        if parallel:
            shared = np.mean(own[half], axis=0) / 2
            by_document[f"{DOCUMENTS}, half {half}"] = shared + wider * (np.sum(chosen, axis=0) - shared)
        else:
            by_document |= {f"{DOCUMENTS} of {n}, half {half}": wider * z for n, z in zip(names, chosen, strict=True)}
    of_seed = (weights * ratios).sum(axis=0).mean(axis=0)
    shared = ratios.mean(axis=(0, 1))
    seeds = len(of_seed)
    z = (_centred(shared) + wider * _centred(of_seed - shared)) / seeds
    estimate = Estimate(float(of_seed.mean()), {SEEDS: z} if seeds > 1 else {}, by_document, seeds, fewest)
    often = {name: float((weight > 0).mean()) for name, weight in zip(names, weights, strict=True)}
    return Tail(estimate, {name: often[name] for name in sorted(names, key=lambda n: -often[n]) if often[name]})


def _ratios(deltas: Deltas) -> Array:
    """Harm `[2, S]` by half and seed."""
    return np.stack([deltas.delta[:, half].sum(axis=1) / deltas.tokens[half].sum() for half in HALVES])


def _contributions(deltas: Deltas, half: slice) -> Array:
    return contributions(deltas.delta[:, half], deltas.tokens[half])


def _centred(x: Array) -> Array:
    centred: Array = x - x.mean()
    return centred
