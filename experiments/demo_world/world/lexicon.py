"""One language's stored words, looked up by concept id."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from world.concepts import concepts

FOLDER = Path(__file__).with_name("lexicon")


@dataclass(frozen=True)
class Lexicon:
    """The forms of every concept in one language."""

    language: str
    joiner: str  # what stands between two sentences of a paragraph: a space, or nothing in Chinese
    entries: dict[str, Any]

    def __getitem__(self, concept: str) -> Any:
        return self.entries[concept]

    def proper_names(self) -> list[str]:
        """All spelled forms of person and town names, for masking."""
        return sorted({w for c, e in self.entries.items() if c[:2] in ("p.", "g.") for w in spelled(e)})

    def numbers(self) -> list[str]:
        """All spelled number words, for masking."""
        return sorted({w for c, e in self.entries.items() if c.startswith("q.") for w in spelled(e)})


def spelled(entry: Any) -> list[str]:
    """Every string stored in an entry."""
    if isinstance(entry, str):
        return [entry] if entry else []
    parts = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
    return [word for part in parts for word in spelled(part)]


@cache
def languages() -> tuple[str, ...]:
    """The languages that have both a lexicon and a lineariser."""
    grammars = Path(__file__).with_name("grammar")
    files = FOLDER.glob("*.json")
    return tuple(sorted(p.stem for p in files if (grammars / f"{p.stem.replace('-', '_')}.py").exists()))


@cache
def load(language: str) -> Lexicon:
    """Read a lexicon and refuse it when a concept is missing."""
    raw = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    missing = [concept for concept in concepts() if concept not in raw["concepts"]]
    if missing:
        raise ValueError(f"lexicon {language} lacks {len(missing)} concepts: {' '.join(missing)}")
    return Lexicon(language, raw["joiner"], raw["concepts"])
