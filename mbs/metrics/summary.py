"""Harm over languages in a few numbers, with what is certain of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mbs.data.shares import Shares
from mbs.metrics.crossfit import Tail, cvar_harm, worst_harm
from mbs.metrics.disparity import cvar, gap, gini, jain, mean, standard_deviation, weighted_mean, worst
from mbs.metrics.estimates import Interval, interval
from mbs.metrics.harms import LanguageResult
from mbs.metrics.intervals import Deltas, mean_estimate


@dataclass(frozen=True)
class CrossFitted:
    """Harm of languages chosen on one half of the documents, measured on the other; how often each was chosen."""

    interval: Interval
    chosen: Mapping[str, float]


@dataclass(frozen=True)
class Summary:
    """Harm over languages, in nats per token.

    Unweighted mean; the worst, and the mean of the worst quarter (CVaR), of the languages that the dense model has
    learnt, as they are and cross-fitted; the mean of the half with the smallest declared shares; the mean weighted by
    declared shares; the gap between worst and best; the standard deviation; Gini and Jain index of retention.
    Intervals are over documents, under this calibration alone. `parallel`: whether documents are translations.
    """

    harm_mean: float
    harm_worst: float
    worst_language: str
    harm_low_resource: float | None
    low_resource_languages: tuple[str, ...]
    harm_cvar: float | None = None
    harm_share_weighted: float | None = None
    harm_gap: float | None = None
    harm_deviation: float | None = None
    retention_gini: float | None = None
    retention_jain: float | None = None
    not_learnt: tuple[str, ...] = ()
    parallel: bool = False
    mean_interval: Interval | None = None
    worst_crossfitted: CrossFitted | None = None
    cvar_crossfitted: CrossFitted | None = None


def summarize(
    results: Mapping[str, LanguageResult],
    shares: Shares | None,
    deltas: Mapping[str, Deltas] | None = None,
    parallel: bool = False,
) -> Summary:
    """The summary of one run; without the documents' `deltas` there are no intervals.

    Low-resource harm is None unless two evaluated languages have a declared share. Where no language was learnt, all
    count.
    """
    harms = {language: result.harm for language, result in results.items()}
    not_learnt = tuple(language for language, result in results.items() if result.learnt is False)
    counted = {language: harm for language, harm in harms.items() if language not in not_learnt} or harms
    worst_language, harm_worst = worst(counted)
    low = low_resource(results, shares)
    declared = [language for language in harms if shares and language in shares.languages]
    weights = [shares.share(language) or 0.0 for language in declared] if shares else []
    retained = [result.retention for result in results.values() if result.retention is not None]
    counted_deltas = {language: deltas[language] for language in counted} if deltas else {}
    enough = bool(counted_deltas) and min(held.delta.shape[1] for held in counted_deltas.values()) > 1
    return Summary(
        harm_mean=mean([*harms.values()]),
        harm_worst=harm_worst,
        worst_language=worst_language,
        harm_low_resource=mean([harms[language] for language in low]) if low else None,
        low_resource_languages=low,
        harm_cvar=cvar([*counted.values()]),
        harm_share_weighted=weighted_mean([harms[language] for language in declared], weights) if declared else None,
        harm_gap=gap([*harms.values()]),
        harm_deviation=standard_deviation([*harms.values()]) if len(harms) > 1 else None,
        retention_gini=gini(retained) if retained else None,
        retention_jain=jain(retained) if retained else None,
        not_learnt=not_learnt,
        parallel=parallel,
        mean_interval=interval(mean_estimate(deltas, parallel)) if deltas else None,
        worst_crossfitted=_cross_fitted(worst_harm(counted_deltas, parallel)) if enough else None,
        cvar_crossfitted=_cross_fitted(cvar_harm(counted_deltas, parallel)) if enough else None,
    )


def _cross_fitted(tail: Tail) -> CrossFitted:
    return CrossFitted(interval(tail.estimate), tail.chosen)


def low_resource(languages: Mapping[str, object], shares: Shares | None) -> tuple[str, ...]:
    """The half (rounded down) of the languages with the smallest declared share, the larger share first."""
    if shares is None:
        return ()
    declared = [language for language in shares.languages if language in languages]
    return tuple(declared[(len(declared) + 1) // 2 :])
