"""Calibration-language mixes: weights per language, and how they become whole segments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from mbs.data.languages import yaml_key
from mbs.data.shares import Shares
from mbs.errors import MbsError

Weights = Mapping[str, Fraction]


class Mix(Protocol):
    """What a mix must answer: which languages it wants, and how many segments each of the available ones gets."""

    @property
    def name(self) -> str:
        """A short name for tables and directories."""
        ...

    def languages(self, candidates: Sequence[str], shares: Shares | None) -> tuple[str, ...]:
        """The languages it wants, out of the candidates where it has no list of its own."""
        ...

    def counts(self, languages: Sequence[str], segments: int, shares: Shares | None) -> dict[str, int]:
        """Whole segments per language; they sum to `segments` whatever the order of the languages."""
        ...


def apportion(weights: Weights, segments: int) -> dict[str, int]:
    """Largest remainders: floors of the exact quotas, then one more for the largest fractions (ties by code)."""
    total = sum(weights.values())
    quota = {language: segments * weight / total for language, weight in weights.items()}
    counts = {language: math.floor(value) for language, value in quota.items()}
    return _by_remainder(quota, counts, segments)


def apportion_with_floor(weights: Weights, segments: int) -> dict[str, int]:
    """The paper's rule: at least one segment per language, the rest in proportion.

    Start from `max(1, floor(segments x share))`; while the sum is too large take one from the language that has most
    (never below one); while it is too small add one to the language furthest below its quota. On ROOTS bytes of the
    20 languages and 256 segments this gives the counts of the published scripts: 87, 47, 37, ..., 1 (Zeng et al.,
    2024).

    Raises MbsError when there are fewer segments than languages.
    """
    if segments < len(weights):
        raise MbsError(
            f"calibration.segments={segments} for {len(weights)} languages",
            "at least one segment per language",
            f"calibration.segments={len(weights)} or fewer languages=[...]",
        )
    total = sum(weights.values())
    quota = {language: segments * weight / total for language, weight in weights.items()}
    counts = {language: max(1, math.floor(value)) for language, value in quota.items()}
    while sum(counts.values()) > segments:
        largest = min(counts, key=lambda language: (-counts[language], -weights[language], language))
        counts[largest] -= 1
    return _by_remainder(quota, counts, segments)


def _by_remainder(quota: Weights, counts: dict[str, int], segments: int) -> dict[str, int]:
    """One more for the languages furthest below their quota, ties by code, until the counts sum to `segments`."""
    furthest = sorted(quota, key=lambda language: (counts[language] - quota[language], language))
    for language in furthest[: segments - sum(counts.values())]:
        counts[language] += 1
    return counts


@dataclass(frozen=True)
class Single:
    """All segments from one language: English in nearly every published recipe."""

    language: str = "en"
    name: str = "english"

    def languages(self, candidates: Sequence[str], shares: Shares | None) -> tuple[str, ...]:
        """Its one language, whatever the candidates."""
        return (self.language,)

    def counts(self, languages: Sequence[str], segments: int, shares: Shares | None) -> dict[str, int]:
        """Every segment for its one language."""
        return {self.language: segments}


@dataclass(frozen=True)
class Uniform:
    """The same number of segments for every language; what cannot be divided goes to the first by code."""

    name: str = "uniform"

    def languages(self, candidates: Sequence[str], shares: Shares | None) -> tuple[str, ...]:
        """All candidates."""
        return tuple(candidates)

    def counts(self, languages: Sequence[str], segments: int, shares: Shares | None) -> dict[str, int]:
        """Equal counts, differing by at most one."""
        return apportion(dict.fromkeys(languages, Fraction(1)), segments)


@dataclass(frozen=True)
class Mbs:
    """The paper's mix: in proportion to the model's own training data, with at least one segment per language."""

    name: str = "mbs"

    def languages(self, candidates: Sequence[str], shares: Shares | None) -> tuple[str, ...]:
        """The candidates with a declared share."""
        declared = _required(shares)
        wanted = tuple(language for language in candidates if declared.amounts.get(language, 0) > 0)
        if not wanted:
            raise MbsError(
                f"mix=mbs: model.shares ({declared.source}) declares none of {', '.join(candidates)}",
                "a declared share for at least one of them",
            )
        return wanted

    def counts(self, languages: Sequence[str], segments: int, shares: Shares | None) -> dict[str, int]:
        """The paper's counts for these languages."""
        declared = _required(shares)
        return apportion_with_floor({language: declared.amounts[language] for language in languages}, segments)


@dataclass(frozen=True)
class Custom:
    """Weights that the user gives, on any scale; a weight of zero leaves the language out."""

    weights: Mapping[str, float] | None = None
    name: str = "custom"

    def __post_init__(self) -> None:
        if not self.weights:
            raise MbsError("mix=custom without weights", "weights per language", "'mix.weights={en: 1, sw: 2}'")
        for language, weight in self.weights.items():
            if not isinstance(language, str):
                raise yaml_key(language, "mix.weights")
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 <= weight < math.inf:
                raise MbsError(f"mix.weights.{language} is {weight!r}", "a number of zero or more")
        if not any(self.weights.values()):
            raise MbsError("mix.weights are all zero", "at least one weight above zero")

    def languages(self, candidates: Sequence[str], shares: Shares | None) -> tuple[str, ...]:
        """The languages with a weight above zero."""
        return tuple(language for language, weight in (self.weights or {}).items() if weight > 0)

    def counts(self, languages: Sequence[str], segments: int, shares: Shares | None) -> dict[str, int]:
        """Counts in proportion to the weights, by largest remainders."""
        weights = self.weights or {}
        return apportion({language: Fraction(weights[language]) for language in languages}, segments)


def _required(shares: Shares | None) -> Shares:
    if shares is None:
        raise MbsError(
            "mix=mbs needs the model's training shares, and model.shares is not set",
            "`roots`, a JSON file, or a mapping",
            "model.shares=roots for BLOOM, or model.shares=PATH.json",
        )
    return shares


@dataclass(frozen=True)
class SegmentCounts:
    """Segments per language, most first; and which wanted languages get none: not in the corpus, or outweighed."""

    counts: dict[str, int]
    dropped: tuple[str, ...]
    without_segment: tuple[str, ...]


def segment_counts(
    mix: Mix, candidates: Sequence[str], available: Sequence[str], segments: int, shares: Shares | None
) -> SegmentCounts:
    """What a mix draws from a corpus that has the available languages; raises MbsError when nothing is left."""
    wanted = mix.languages(candidates, shares)
    kept = [language for language in wanted if language in available]
    if not kept:
        raise MbsError(
            f"mix={mix.name} wants {', '.join(wanted)}, and the corpus has none of them",
            f"text in at least one (the corpus has {', '.join(available)})",
        )
    counts = mix.counts(kept, segments, shares)
    return SegmentCounts(
        counts={code: n for code, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n},
        dropped=tuple(language for language in wanted if language not in available),
        without_segment=tuple(language for language in kept if not counts[language]),
    )
