"""Change by group of languages: resource bucket, script, family."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mbs.data.shares import Shares
from mbs.errors import MbsError

HIGH, MEDIUM = 0.05, 0.01
UNDECLARED = "undeclared"


@dataclass(frozen=True)
class GroupChange:
    """Means over a group's languages before and after, and the change of the mean in percent."""

    languages: tuple[str, ...]
    dense: float
    compressed: float
    change: float


def relative_change(
    dense: Mapping[str, float], compressed: Mapping[str, float], group_of: Mapping[str, str]
) -> dict[str, GroupChange]:
    """`100 (mean compressed - mean dense) / mean dense` per group (Mohammadshahi et al., 2022), by name of the group.

    A ratio of means, not a mean of ratios: a language with a small score does not dominate. For scores above zero, as
    accuracies or perplexities; refused where a group's dense mean is zero or less, or a language has no group.
    """
    if dense.keys() != compressed.keys() or not dense.keys() <= group_of.keys():
        lone = sorted((dense.keys() ^ compressed.keys()) | (dense.keys() - group_of.keys()))
        raise MbsError(f"languages without a score or a group: {', '.join(lone)}", "both scores and a group for each")
    members: dict[str, list[str]] = {}
    for language in dense:
        members.setdefault(group_of[language], []).append(language)
    made = {}
    for group, languages in sorted(members.items()):
        before = math.fsum(dense[language] for language in languages) / len(languages)
        after = math.fsum(compressed[language] for language in languages) / len(languages)
        if not before > 0:
            raise MbsError(f"group {group} has a dense mean of {before:.4g}", "a mean score above zero")
        made[group] = GroupChange(tuple(languages), before, after, 100 * (after - before) / before)
    return made


def resource_buckets(languages: Iterable[str], shares: Shares | None) -> dict[str, str]:
    """`high` at 5 % or more of the whole declared training text, `medium` at 1 % or more, `low` below, else undeclared.

    A rule of this project, on the declared unit (bytes or tokens); other studies cut elsewhere.
    """
    return {language: _bucket(None if shares is None else shares.share(language)) for language in languages}


def _bucket(share: float | None) -> str:
    if share is None:
        return UNDECLARED
    return "high" if share >= HIGH else "medium" if share >= MEDIUM else "low"
