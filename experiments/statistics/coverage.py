"""How often the intervals of `mbs.metrics` cover what they are for, on simulated scores whose truth is known.

Run: OMP_NUM_THREADS=1 python experiments/statistics/coverage.py [--replications 2000]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mbs.metrics import (
    Deltas,
    Estimate,
    Interval,
    Tail,
    cvar_harm,
    difference,
    harm_estimate,
    interval,
    mean_estimate,
    worst_harm,
)
from mbs.metrics.crossfit import HALVES
from mbs.metrics.disparity import tail_size
from mbs.metrics.selection import worst_on_other_cells

Array = np.ndarray
LANGUAGES, DOCUMENTS, RESAMPLES = 20, 61, 300
DRAWS = 200  # for what choosing adds; 1000 outside simulations
LENGTH_SPREAD, LENGTH_SLOPE = 0.6, -0.02  # longer documents are harmed less per token


@dataclass(frozen=True)
class World:
    """Standard deviations in nats per token, beside harms of about 0.1."""

    name: str
    harms: Array
    seed_common: float = 0.002
    seed_language: float = 0.004
    document_common: float = 0.015
    document_language: float = 0.03
    residual: float = 0.01
    heavy: bool = False  # Student's t with 4 degrees of freedom for the documents of each language


def spread_harms(middle: float, spread: float) -> Array:
    """Normal quantiles, the worst three 0.002 apart."""
    normal = NormalDist(middle, spread)
    harms = np.array([normal.inv_cdf((k + 0.5) / LANGUAGES) for k in range(LANGUAGES)])
    harms[-3:] = harms[-1] - np.array([0.004, 0.002, 0.0])
    return harms


SPREAD = spread_harms(0.1, 0.04)
SKEWED = 0.05 * np.exp(0.9 * np.array([NormalDist().inv_cdf((k + 0.5) / LANGUAGES) for k in range(LANGUAGES)]))
TIED = 0.1 + 0.002 * np.arange(LANGUAGES) / LANGUAGES
WORLDS = (
    World("seeds move the mean by 2 %", SPREAD),
    World("seeds move the mean by 8 %", SPREAD, seed_common=0.008, seed_language=0.015),
    World("2 %, all languages nearly tied", TIED),
    World("8 %, all languages nearly tied", TIED, seed_common=0.008, seed_language=0.015),
    World("2 %, residual as large as documents", SPREAD, residual=0.03),
    # Drawn up after the intervals were settled on the worlds above, and run once.
    World("held out: 4 %, skewed harms, heavy tails", SKEWED, seed_common=0.004, seed_language=0.008, heavy=True),
)


def truth(harms: Array) -> Array:
    """The ratio E[delta] / E[tokens], which the slope in length moves by slope * variance of the log-length."""
    return harms + LENGTH_SLOPE * LENGTH_SPREAD**2


def draw(world: World, seeds: int, random: np.random.Generator) -> tuple[dict[str, Deltas], dict[str, Deltas]]:
    """Two mixes on the same documents with paired seeds; half of each variance but the residual's is shared."""
    log_length = LENGTH_SPREAD * random.standard_normal(DOCUMENTS)
    fertility = np.linspace(1, 3, LANGUAGES)
    tokens = 400 * np.exp(log_length) * fertility[:, None]

    def effect(spread: float, *shape: int, heavy: bool = False) -> tuple[Array, Array]:
        noise = random.standard_t(4, (3, *shape)) / np.sqrt(2) if heavy else random.standard_normal((3, *shape))
        shared, a, b = noise * spread / np.sqrt(2)
        return shared + a, shared + b

    seed = effect(world.seed_common, 1, seeds, 1)
    seed_language = effect(world.seed_language, LANGUAGES, seeds, 1)
    document = effect(world.document_common, 1, 1, DOCUMENTS)
    document_language = effect(world.document_language, LANGUAGES, 1, DOCUMENTS, heavy=world.heavy)
    made = []
    for k, harms in enumerate((world.harms, second(world.harms))):
        rate = harms[:, None, None] + LENGTH_SLOPE * log_length
        rate = rate + seed[k] + seed_language[k] + document[k] + document_language[k]
        rate = rate + world.residual * random.standard_normal((LANGUAGES, seeds, DOCUMENTS))
        delta = rate * tokens[:, None]
        made.append({f"{row:02}": Deltas(delta[row], tokens[row]) for row in range(LANGUAGES)})
    return made[0], made[1]


def second(harms: Array) -> Array:
    """The harms under the other mix: smaller in the mean, in another order at the top."""
    return 0.8 * harms[np.r_[0 : LANGUAGES - 4, LANGUAGES - 1 : LANGUAGES - 5 : -1]]


class Tally:
    """Counts, for each statistic, how often its interval holds its target, and the mean of some distances."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = defaultdict(list)
        self.width: dict[str, list[float]] = defaultdict(list)

    def interval(self, name: str, made: Interval, target: float) -> None:
        """Whether an interval of `mbs.metrics` holds the target."""
        assert made.low is not None
        assert made.high is not None
        self.bounds(name, made.low, made.high, target)

    def bounds(self, name: str, low: float, high: float, target: float) -> None:
        """Whether the target lies between two bounds."""
        self.seen[name].append(low <= target <= high)
        self.width[name].append((high - low) / 2)


def of_chosen(languages: dict[str, Deltas], size: int, true: Array) -> float:
    """The true mean harm of the languages that cross-fitting chose, the target of its interval."""
    ratios = np.stack(
        [[d.delta[:, half].sum(1) / d.tokens[half].sum() for half in HALVES] for _, d in sorted(languages.items())]
    )
    weights = worst_on_other_cells(ratios, size)
    return float((weights * true[:, None, None]).sum() / weights[0].size)


def replicate(world: World, seeds: int, random: np.random.Generator, tally: Tally, naive: bool) -> None:
    """One drawing of all scores, with every interval made from it."""
    first, other = draw(world, seeds, random)
    true, true_other = truth(world.harms), truth(second(world.harms))
    one, mean = harm_estimate(first["10"]), mean_estimate(first, parallel=True)
    tally.interval("one language", interval(one), true[10])
    tally.interval("mean over languages", interval(mean), true.mean())
    gain = difference(mean, mean_estimate(other, parallel=True))
    tally.interval("mean, difference of two mixes", interval(gain), true.mean() - true_other.mean())
    size = tail_size(LANGUAGES)
    tails: dict[str, tuple[Tail, Tail, int]] = {
        "worst": (worst_harm(first, True, DRAWS), worst_harm(other, True, DRAWS), 1),
        "CVaR": (cvar_harm(first, True, DRAWS), cvar_harm(other, True, DRAWS), size),
    }
    for name, (a, b, k) in tails.items():
        target, target_other = of_chosen(first, k, true), of_chosen(other, k, true_other)
        largest, largest_other = (float(np.sort(x)[-k:].mean()) for x in (true, true_other))
        made = interval(a.estimate)
        tally.interval(f"{name}, cross-fitted", made, target)
        tally.interval(f"{name}, cross-fitted, against the true {name}", made, largest)
        tally.seen[f"{name}: chosen below the true {name}"].append(largest - target)
        made = interval(difference(a.estimate, b.estimate))
        tally.interval(f"{name}, difference of two mixes", made, target - target_other)
        tally.interval(f"{name}, difference, against the true one", made, largest - largest_other)
    if naive:
        blind(first, one, mean, true, random, tally)


def blind(
    languages: dict[str, Deltas], one: Estimate, mean: Estimate, true: Array, random: np.random.Generator, tally: Tally
) -> None:
    """What would be simpler: seeds ignored, documents nested in seeds, the largest harm with its percentiles."""
    for name, estimate, target in (("one language", one, true[10]), ("mean over languages", mean, true.mean())):
        alone = Estimate(estimate.value, {}, estimate.by_document, 1, estimate.documents)
        tally.interval(f"naive: seeds ignored, {name}", interval(alone), target)
    delta = np.stack([languages[name].delta for name in sorted(languages)])
    tokens = np.stack([languages[name].tokens for name in sorted(languages)])
    seeds = delta.shape[1]
    rows = random.integers(seeds, size=(RESAMPLES, seeds, 1))
    columns = random.integers(DOCUMENTS, size=(RESAMPLES, seeds, DOCUMENTS))
    per_cell = {"one language": (delta[10] / tokens[10].sum(), tokens[10] / tokens[10].sum()),
                "mean over languages": ((delta / tokens.sum(1)[:, None, None]).mean(0),
                                        (tokens / tokens.sum(1, keepdims=True)).mean(0))}  # fmt: skip
    for name, (part, weight) in per_cell.items():
        drawn = part[rows, columns].sum((1, 2)) / weight[columns].sum((1, 2))
        low, high = np.quantile(drawn, (0.025, 0.975))
        tally.bounds(f"naive: nested bootstrap, {name}", low, high, true[10] if name[0] == "o" else true.mean())
    of_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
    of_document = random.multinomial(DOCUMENTS, np.full(DOCUMENTS, 1 / DOCUMENTS), size=RESAMPLES).astype(float)
    summed = (delta.reshape(-1, DOCUMENTS) @ of_document.T).reshape(LANGUAGES, seeds, RESAMPLES)
    drawn = np.einsum("lsb,bs->lb", summed, of_seed) / (tokens @ of_document.T)
    size = tail_size(LANGUAGES)
    for name, k in (("worst", 1), ("CVaR", size)):
        low, high = np.quantile(np.sort(drawn, axis=0)[-k:].mean(axis=0), (0.025, 0.975))
        tally.bounds(f"naive: percentiles of the plain {name}", low, high, float(np.sort(true)[-k:].mean()))


def main() -> None:
    """Prints one table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--worlds", type=int, nargs="+", default=list(range(len(WORLDS))))
    chosen = parser.parse_args()
    started = time.perf_counter()
    for number in chosen.worlds:
        world = WORLDS[number]
        tallies = {}
        for seeds in chosen.seeds:
            random = np.random.default_rng([number, seeds])
            tallies[seeds] = Tally()
            for _ in range(chosen.replications):
                replicate(world, seeds, random, tallies[seeds], naive=number < 2)
        print(f"\n{world.name}\n\n| covered, % | " + " | ".join(f"S = {s}" for s in chosen.seeds) + " |")
        print("| --- |" + " --- |" * len(chosen.seeds))
        for name in next(iter(tallies.values())).seen:
            means = [float(np.mean(tally.seen[name])) for tally in tallies.values()]
            cells = [f"{x:.4f} nat" if ": chosen" in name else f"{100 * x:.1f}" for x in means]
            widths = [np.mean(t.width[name]) if t.width[name] else None for t in tallies.values()]
            cells = [c if w is None else f"{c} (±{w:.4f})" for c, w in zip(cells, widths, strict=True)]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"\n{chosen.replications} replications; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
