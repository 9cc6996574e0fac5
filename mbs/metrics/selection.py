"""How much the choice of the worst languages adds to the error of their cross-fitted harm.

The noise of one cell takes part in choosing the languages of all others. Where several languages are nearly equal, the
errors of the cells then lean the same way: two cells with independent noise choose each other's high readings. The
first-order error knows nothing of this, and intervals made of it cover 87-92 % where 95 % are promised. By how much the
variance grows is simulated here from the measured errors (a parametric bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbs.metrics.estimates import Array

DRAWS = 1000
CONTESTED = 2.0  # standard errors from the edge of the worst within which a language might be on its other side


def worst_on_other_cells(ratios: Array, size: int) -> Array:
    """Weights like ratios `[..., L, 2, S]`: 1 / size for those worst on the other half under the other seeds.

    With one seed, worst on the other half under that seed.
    """
    seeds = ratios.shape[-1]
    others = (ratios.sum(axis=-1, keepdims=True) - ratios) / (seeds - 1) if seeds > 1 else ratios
    order = np.argpartition(others[..., ::-1, :], -size, axis=-3)[..., -size:, :, :]
    weights = np.zeros_like(ratios)
    np.put_along_axis(weights, order, 1 / size, axis=-3)
    return weights


def inflation(
    ratios: Array, documents: Sequence[Sequence[Array]], size: int, parallel: bool, draws: int = DRAWS
) -> float:
    """Variance of the cross-fitted error over that with independent choices, 1 or more, by simulation.

    `ratios` `[L, 2, S]` are harms by half and seed; `documents` holds for each half and language what each document
    adds to the error of the language. Noise is normal with the measured covariance over languages, less its mean over
    languages, which has no part in choosing. Languages within `CONTESTED` standard errors of the edge of the worst are
    drawn as equal to it, the least favourable truth that the data allow (generalised moment selection, Andrews and
    Soares, 2010); taking the measured harms for true would separate languages that noise alone has separated.
    """
    languages, _, seeds = ratios.shape
    if size == languages:
        return 1.0
    random = np.random.default_rng(0)
    noise = np.zeros((draws, languages, 2, seeds))
    for half, rows in enumerate(documents):
        noise[:, :, half] += _document_noise(rows, parallel, draws, random)[..., None]
    harms = ratios.mean(axis=(1, 2))
    if seeds > 1:
        deviations = (ratios.mean(axis=1) - harms[:, None]) / np.sqrt(seeds - 1)
        noise += (
            (random.standard_normal((draws * seeds, seeds)) @ deviations.T)
            .reshape(draws, seeds, languages)
            .transpose(0, 2, 1)[:, :, None]
        )
    noise -= noise.mean(axis=1, keepdims=True)
    ranked = np.sort(harms)
    edge = (ranked[-size] + ranked[-size - 1]) / 2
    contested = np.abs(harms - edge) < CONTESTED * noise.mean(axis=(2, 3)).std(axis=0)
    truth = np.where(contested, edge, harms)
    weights = worst_on_other_cells(truth[:, None, None] + noise, size)
    made = np.einsum("blhs,blhs->b", weights, noise)
    independent = np.einsum("blhs,blhs->b", weights, np.roll(noise, 1, axis=0))
    expected = float(independent @ independent)
    return max(1.0, float(made @ made) / expected) if expected > 0 else 1.0


def _document_noise(rows: Sequence[Array], parallel: bool, draws: int, random: np.random.Generator) -> Array:
    """Errors `[draws, L]` of the languages on one half; parallel documents err together in all languages."""
    noise: Array
    if parallel:
        noise = random.standard_normal((draws, len(rows[0]))) @ np.stack(rows).T
    else:
        noise = random.standard_normal((draws, len(rows))) * np.sqrt([z @ z for z in rows])
    return noise
