"""Which languages pay: harm by group, and its correlation with what is known to go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mbs.data.languages import Language
from mbs.data.shares import Shares
from mbs.metrics.dependence import Correlation, spearman
from mbs.metrics.groups import GroupChange, relative_change, resource_buckets
from mbs.metrics.harms import LanguageResult


@dataclass(frozen=True)
class Dependence:
    """Spearman correlation of harm with one quantity over the languages that have it, alone and given the others."""

    alone: Correlation
    partial: Correlation
    given: tuple[str, ...]


def changes_by_group(
    results: Mapping[str, LanguageResult], shares: Shares | None, table: Mapping[str, Language]
) -> dict[str, dict[str, GroupChange]]:
    """Change of perplexity in percent by resource bucket, script and family, as ratios of means over a group."""
    dense = {code: row.dense.perplexity for code, row in results.items()}
    compressed = {code: row.compressed.perplexity for code, row in results.items()}
    groups = {
        "resource": resource_buckets(results, shares),
        "script": {code: table[code].script for code in results},
        "family": {code: table[code].family for code in results},
    }
    return {name: relative_change(dense, compressed, group_of) for name, group_of in groups.items()}


def dependences(
    harms: Mapping[str, float], quantities: Mapping[str, Mapping[str, float | None]]
) -> dict[str, Dependence]:
    """Harm against each quantity (name -> language -> value), and partially given all other known quantities.

    Share and fertility go together, so that only the partial correlation speaks of one of them. Quantities that no
    language has are left out; a partial correlation is over the languages that have all of them.
    """
    known = {
        name: {code: value for code, value in values.items() if value is not None and code in harms}
        for name, values in quantities.items()
    }
    known = {name: values for name, values in known.items() if values}
    complete = [code for code in harms if all(code in values for values in known.values())]
    found = {}
    for name, values in known.items():
        given = tuple(other for other in known if other != name)
        controls = [[known[other][code] for code in complete] for other in given]
        found[name] = Dependence(
            spearman([harms[code] for code in values], [*values.values()]),
            spearman([harms[code] for code in complete], [values[code] for code in complete], controls),
            given,
        )
    return found
