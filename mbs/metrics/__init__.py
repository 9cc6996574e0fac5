"""What compression does to each language, and how sure one can be: pure functions of scores."""

from __future__ import annotations

from mbs.metrics.accuracy import (
    AccuracyDifference,
    AccuracyRetention,
    accuracy_difference,
    accuracy_error,
    accuracy_retention,
)
from mbs.metrics.crossfit import (
    Tail,
    cvar_harm,
    tail_harm,
    worst_harm,
)
from mbs.metrics.dependence import (
    Correlation,
    spearman,
)
from mbs.metrics.disparity import (
    cvar,
    gap,
    gini,
    jain,
    mean,
    standard_deviation,
    tail_size,
    weighted_mean,
    worst,
)
from mbs.metrics.estimates import (
    Estimate,
    Interval,
    combine,
    difference,
    interval,
)
from mbs.metrics.groups import (
    GroupChange,
    relative_change,
    resource_buckets,
)
from mbs.metrics.harms import (
    LanguageResult,
    Scores,
    bits_per_character,
    compare,
    deltas,
    harm,
    harm_per_byte,
    harm_per_character,
    learnt,
    lost,
    relative_increase,
    retention,
    scores,
)
from mbs.metrics.intervals import (
    Deltas,
    harm_estimate,
    mean_estimate,
)
from mbs.metrics.significance import holm, mcnemar
from mbs.metrics.summary import Summary, low_resource, summarize

__all__ = [
    "AccuracyDifference",
    "AccuracyRetention",
    "Correlation",
    "Deltas",
    "Estimate",
    "GroupChange",
    "Interval",
    "LanguageResult",
    "Scores",
    "Summary",
    "Tail",
    "accuracy_difference",
    "accuracy_error",
    "accuracy_retention",
    "bits_per_character",
    "combine",
    "compare",
    "cvar",
    "cvar_harm",
    "deltas",
    "difference",
    "gap",
    "gini",
    "harm",
    "harm_estimate",
    "harm_per_byte",
    "harm_per_character",
    "holm",
    "interval",
    "jain",
    "learnt",
    "lost",
    "low_resource",
    "mcnemar",
    "mean",
    "mean_estimate",
    "relative_change",
    "relative_increase",
    "resource_buckets",
    "retention",
    "scores",
    "spearman",
    "standard_deviation",
    "summarize",
    "tail_harm",
    "tail_size",
    "weighted_mean",
    "worst",
    "worst_harm",
]
