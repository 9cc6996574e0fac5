"""Does harm follow a language's share or stay with the language? The twins answer, with intervals."""

import argparse
from pathlib import Path

import numpy as np

from mbs.report.compare import groups, read_results

RESAMPLES = 10_000


def slope(change_of_share: np.ndarray, change_of_harm: np.ndarray) -> float:
    """Least squares with an intercept: the twins may differ as a whole."""
    x = change_of_share - change_of_share.mean()
    return float(x @ (change_of_harm - change_of_harm.mean()) / (x @ x))


def interval(change_of_share: np.ndarray, change_of_harm: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval over resampled languages."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(change_of_share), (RESAMPLES, len(change_of_share)))
    slopes = [slope(change_of_share[d], change_of_harm[d]) for d in drawn if len(set(d)) > 2]
    low, high = np.percentile(slopes, (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    """Print, per pruner and mix, what one e-fold of training share changes in a language's harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outputs", type=Path, nargs="?", default=Path("outputs/demo"))
    one, two = groups(read_results(parser.parse_args().outputs))
    codes = list(one.dense)
    share = np.array([[float(twin.shares[code] or np.nan) for code in codes] for twin in (one, two)])
    print("condition | harm per e-fold of share [95 %] | correlation of harm between the twins, by language")
    for condition in one.harm:
        harm = np.array([[twin.harm[condition][code].mean for code in codes] for twin in (one, two)])
        moved, paid = np.log(share[1] / share[0]), harm[1] - harm[0]
        low, high = interval(moved, paid)
        alike = float(np.corrcoef(harm[0], harm[1])[0, 1])
        print(" ".join(condition).strip(), f"| {slope(moved, paid):+.4f} [{low:+.4f}, {high:+.4f}] | {alike:+.2f}")


if __name__ == "__main__":
    main()
