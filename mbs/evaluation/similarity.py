"""How near languages are to one another in what a model's first block is given.

The measure of Zeng et al. (2024): a language is the vector of squared feature norms of block 0's input, the same that
Wanda scores weights with. Such vectors have no negative numbers, share what is common to all text, and can be ruled by
a few rogue dimensions that are large in every language, so all their cosines are high and say little about the other
dimensions (Timkey and van Schijndel, 2021). Beside it therefore stands a standardised variant: norms instead of
squares, and every dimension on the scale of its own spread over the languages. Cosines are then around zero: positive
means that two languages differ from the average language in the same direction. It depends on which languages are
compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mbs.engine.skeleton import Skeleton
from mbs.engine.switches import evaluating
from mbs.engine.tokenizer import Array
from mbs.errors import MbsError

Floats = npt.NDArray[np.float64]
LEAST = 3  # two standardised languages are always opposite


@dataclass(frozen=True)
class Similarity:
    """Cosines, their angles in degrees and Euclidean distances `[L, L]` between the vectors of the languages."""

    languages: tuple[str, ...]
    cosine: Floats
    angle: Floats
    distance: Floats

    def nearest(self, language: str) -> str:
        """The other language with the largest cosine, the first of equals; there must be another."""
        return self._others(language, 1)

    def farthest(self, language: str) -> str:
        """The other language with the smallest cosine, the first of equals; there must be another."""
        return self._others(language, -1)

    def _others(self, language: str, sign: int) -> str:
        row = self.cosine[self.languages.index(language)]
        others = [(sign * cosine, code) for code, cosine in zip(self.languages, row, strict=True) if code != language]
        return max(others, key=lambda pair: pair[0])[1]


@dataclass(frozen=True)
class Merge:
    """One step of a clustering: the two clusters that become one, and the height (1 - cosine) at which they do."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    height: float


@dataclass(frozen=True)
class Clustering:
    """The merges, lowest first; `linkage` is scipy's table of them `[L - 1, 4]`, `order` the leaves as drawn."""

    merges: tuple[Merge, ...]
    order: tuple[str, ...]
    linkage: Floats


@dataclass(frozen=True)
class Nearness:
    """A language's cosine to a mix, as published and standardised (None where that has no meaning)."""

    cosine: float
    standardised: float | None


def language_vectors(
    skeleton: Skeleton, rows_by_language: Mapping[str, Sequence[Array] | Array], batch_tokens: int
) -> dict[str, Floats]:
    """Squared feature norms `[C]` of block 0's input: `s[j] = 1/N sum over N rows and their T tokens of x_tj^2`.

    Squares are added in float64. Rows that differ in length count by their tokens, as if each language had rows as
    long as the longest of all, so that vectors stay on one scale. Raises MbsError where an activation is not finite.
    Source: Zeng et al. (2024), language similarity.
    """
    longest = max((len(row) for rows in rows_by_language.values() for row in rows), default=0)
    vectors = {}
    for language, rows in rows_by_language.items():
        tokens = sum(len(row) for row in rows)
        if not tokens:
            raise MbsError(f"no tokens in {language}", "at least one row of tokens per language")
        total = torch.zeros((), dtype=torch.float64)
        for ids, real in _batches(rows, batch_tokens):
            with evaluating(skeleton.model):
                x = skeleton.enter(ids)[0].double()
            total = total + x.square_().mul_(real[..., None].to(x.device)).sum((0, 1)).cpu()
        if not total.isfinite().all():
            raise MbsError(f"the input of block 0 is not finite in {language}", "finite embeddings")
        vectors[language] = total.numpy() * (longest / tokens)
    return vectors


def _batches(rows: Sequence[Array] | Array, batch_tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens `[B, T]` of rows alike in length, padded with zeros at the right, and which of them are real."""
    ordered = sorted(rows, key=len)
    start = 0
    while start < len(ordered):
        end = start + 1
        while end < len(ordered) and (end + 1 - start) * len(ordered[end]) <= batch_tokens:
            end += 1
        part = ordered[start:end]
        lengths = np.array([len(row) for row in part])
        ids = np.zeros((len(part), lengths[-1]), dtype=np.int64)
        for place, row in zip(ids, part, strict=True):
            place[: len(row)] = row
        yield torch.from_numpy(ids), torch.from_numpy(np.arange(lengths[-1]) < lengths[:, None])
        start = end


def as_published(vectors: Mapping[str, Floats]) -> Similarity:
    """The measure of Zeng et al. (2024) between the vectors `[C]` as they are."""
    return _between(tuple(vectors), np.stack([*vectors.values()]))


def standardised(vectors: Mapping[str, Floats]) -> Similarity | None:
    """The same between square roots, each dimension at mean 0 and deviation 1 over the languages.

    None for fewer than three languages: two are then always opposite, whatever they are.
    """
    if len(vectors) < LEAST:
        return None
    mean, deviation, roots = _spread(vectors)
    return _between(tuple(vectors), (roots - mean) / deviation)


def _spread(vectors: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Mean and deviation of the square roots per dimension `[C]`, and the roots `[L, C]`.

    A dimension that is the same in all languages has deviation infinity, and so no part in any cosine.
    """
    roots = np.sqrt(np.stack([*vectors.values()]))
    deviation = roots.std(axis=0)
    return roots.mean(axis=0), np.where(deviation > 1e-12 * roots.max(), deviation, np.inf), roots


def _between(languages: tuple[str, ...], points: Floats) -> Similarity:
    units = points / _length(points)
    cosine = np.clip(units @ units.T, -1, 1)
    np.fill_diagonal(cosine, 1.0)
    distance = np.stack([np.sqrt(np.square(points - point).sum(axis=1)) for point in points])
    return Similarity(languages, cosine, np.degrees(np.arccos(cosine)), distance)


def _length(points: Floats) -> Floats:
    """Euclidean lengths, kept as a last dimension; one for a vector of zeros, whose cosines are then zero."""
    length: Floats = np.sqrt(np.square(points).sum(axis=-1, keepdims=True))
    return np.where(length > 0, length, 1.0)


def clustering(similarity: Similarity) -> Clustering:
    """Average linkage on 1 - cosine: clusters merge at the mean over all pairs of their languages."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    languages = similarity.languages
    if len(languages) < 2:
        return Clustering((), languages, np.empty((0, 4)))
    apart = squareform(1 - (similarity.cosine + similarity.cosine.T) / 2, checks=False)
    table = linkage(np.maximum(apart, 0), "average", optimal_ordering=True)
    clusters: list[tuple[str, ...]] = [(code,) for code in languages]
    merges = []
    for left, right, height, _ in table:
        merges.append(Merge(clusters[int(left)], clusters[int(right)], float(height)))
        clusters.append(merges[-1].left + merges[-1].right)
    return Clustering(tuple(merges), tuple(languages[leaf] for leaf in leaves_list(table)), table)


def similarity_to(s: Mapping[str, Floats], mix: Mapping[str, float]) -> dict[str, Nearness]:
    """Each language's cosine to the mixture `sum of w_l s_l` of the language vectors, with weights on any scale.

    Squared norms add up, so the mixture's vector is that of a calibration set with these shares. The standardised
    cosine is None for fewer than three languages and for a mix equal to their average; a mix near the average has a
    direction that means little. Raises MbsError for a mix that names a language without a vector.
    """
    missing = [language for language, weight in mix.items() if weight > 0 and language not in s]
    total = sum(mix.values())
    if missing or not total > 0:
        lacking = f"no vector of {', '.join(missing)}" if missing else "a mix without weight"
        raise MbsError(lacking, f"weights over {', '.join(s)}")
    mixed = np.sum([weight / total * s[language] for language, weight in mix.items() if weight > 0], axis=0)
    published = _cosines(np.stack([*s.values()]), mixed)
    towards: Sequence[float] | Floats | None = None
    if len(s) >= LEAST:
        mean, deviation, roots = _spread(s)
        offset = (np.sqrt(mixed) - mean) / deviation
        towards = _cosines((roots - mean) / deviation, offset) if np.abs(offset).max() > 1e-9 else None
    return {
        language: Nearness(float(published[k]), None if towards is None else float(towards[k]))
        for k, language in enumerate(s)
    }


def _cosines(points: Floats, other: Floats) -> Floats:
    return np.clip(points / _length(points) @ (other / _length(other)), -1, 1)
