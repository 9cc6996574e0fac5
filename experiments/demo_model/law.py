"""Does harm follow a language's share or stay with the language? The twins answer, with intervals."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mbs.report.compare import groups, read_runs

RESAMPLES = 10_000


def slope(change_of_share: np.ndarray, change_of_harm: np.ndarray) -> float:
    """Least squares with an intercept: the twins may differ as a whole."""
    x = change_of_share - change_of_share.mean()
    return float(x @ (change_of_harm - change_of_harm.mean()) / (x @ x))


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Pearson's, of the languages' harm in the two twins."""
    return float(np.corrcoef(one, two)[0, 1])


def interval(statistic: Callable[[np.ndarray, np.ndarray], float], one: np.ndarray, two: np.ndarray) -> str:
    """A statistic with its 95 % percentile interval over resampled languages."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(one), (RESAMPLES, len(one)))
    found = [statistic(one[d], two[d]) for d in drawn if len(set(d)) > 2]
    low, high = np.percentile(found, (2.5, 97.5))
    return f"{statistic(one, two):+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Print, per pruner and mix, what one e-fold of training share changes in a language's harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outputs", type=Path, nargs="?", default=Path("outputs/demo"))
    found = groups(read_runs(parser.parse_args().outputs))
    if len(found) != 2:
        raise SystemExit(f"{len(found)} groups of runs; expected the two twins alone; try make demo in an empty folder")
    one, two = found
    codes = list(one.dense)
    share = np.array([[float(twin.shares[code] or np.nan) for code in codes] for twin in (one, two)])
    moved = np.log(share[1] / share[0])
    inner = np.abs(moved) < np.abs(moved).max() - 1e-9
    print("| | harm per e-fold of training share | without the extremes | correlation of harm between the twins |")
    print("|---|---|---|---|")
    for condition in one.conditions:
        harm = np.array([[twin.conditions[condition].harm(code).value for code in codes] for twin in (one, two)])
        paid = harm[1] - harm[0]
        cells = (interval(slope, moved, paid), interval(slope, moved[inner], paid[inner]), interval(correlation, *harm))
        print("|", " | ".join((" ".join(condition).strip(), *cells)), "|")


if __name__ == "__main__":
    main()
