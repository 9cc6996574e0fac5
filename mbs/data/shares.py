"""A model's training distribution over languages, as declared, with its unit and source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mbs.data.languages import LANGUAGES, Language, checked
from mbs.errors import MbsError

REST = "other"  # what a model was trained on besides these languages: code, unlisted languages


@dataclass(frozen=True)
class Shares:
    """Declared amounts per language (exact, on any scale), their unit, and where they come from."""

    amounts: Mapping[str, Fraction]
    unit: str
    source: str

    def share(self, language: str) -> float | None:
        """The language's part of the whole training text, or None where none is declared."""
        if language == REST or language not in self.amounts:
            return None
        return float(self.amounts[language] / sum(self.amounts.values()))

    @property
    def languages(self) -> tuple[str, ...]:
        """The declared languages, the largest share first."""
        listed = [language for language in self.amounts if language != REST]
        return tuple(sorted(listed, key=lambda language: (-self.amounts[language], language)))


def roots() -> Shares:
    """The sizes of the languages of ROOTS, the training corpus of BLOOM, in bytes of text."""
    amounts = {code: Fraction(row.roots_bytes) for code, row in LANGUAGES.items() if row.roots_bytes}
    return Shares(amounts, "bytes", "ROOTS (Laurencon et al., 2022), bytes of text per language")


def declare_shares(value: object, table: Mapping[str, Language] = LANGUAGES) -> Shares | None:
    """Shares from what `model.shares` holds: null, `roots`, a JSON file, or a mapping; None when undeclared."""
    if value is None:
        return None
    if value == "roots":
        return roots()
    if isinstance(value, str):
        return _from_mapping(_read(Path(value)), value, table)
    if isinstance(value, Mapping):
        return _from_mapping(value, "the configuration", table)
    raise MbsError(f"model.shares is {value!r}", "`roots`, a JSON file, or a mapping of languages to amounts")


def _read(path: Path) -> Mapping[object, object]:
    if not path.is_file():
        remedy = "model.shares=roots, or the path of a JSON file with `share` and `unit`"
        raise MbsError(f"model.shares names no file: {path}", "`roots`, a JSON file, or a mapping", remedy)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MbsError(
            f"model.shares: {path} is not JSON ({error})", '{"share": {"en": 0.7}, "unit": "tokens"}'
        ) from None
    if not isinstance(content, dict):
        raise MbsError(f"model.shares: {path} holds a {type(content).__name__}", "an object with `share` and `unit`")
    return content


def _from_mapping(content: Mapping[object, object], origin: str, table: Mapping[str, Language]) -> Shares:
    unit, source = "unstated", origin
    amounts: object = content
    if "share" in content:
        amounts = content["share"]
        unit, source = str(content.get("unit", unit)), str(content.get("source", source))
    if not isinstance(amounts, Mapping) or not amounts:
        raise MbsError(f"model.shares: {origin} declares no language", "a mapping of languages to amounts")
    languages = checked((code for code in amounts if code != REST), "model.shares", table)
    exact: dict[str, Fraction] = {}
    for code in (*languages, *([REST] if REST in amounts else [])):
        amount = amounts[code]
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < float("inf"):
            raise MbsError(f"model.shares: {code} has {amount!r}", "a number of zero or more")
        exact[code] = Fraction(amount)
    if not any(exact[code] for code in languages):
        raise MbsError(f"model.shares: {origin} declares only zeros", "at least one language above zero")
    return Shares(exact, unit, source)
