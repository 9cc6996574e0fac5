"""What a corpus is: documents per language, each with an id and, where known, a source."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Document:
    """One text with an id that is unique within its language; `stated` where the text's own source gives the id."""

    id: str
    text: str
    source: str | None = None
    stated: bool = False

    @property
    def identifies(self) -> bool:
        """Whether the same id elsewhere means the same document: a mere number or a counted id does not."""
        return self.stated and not self.id.isdecimal()

    @property
    def content_hash(self) -> str:
        """SHA-256 of the text's UTF-8 bytes."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Corpus(Protocol):
    """Text per language."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it holds, in the order of the language table."""
        ...

    def documents(self, language: str) -> Sequence[Document]:
        """All documents of a language, always in the same order; raises MbsError when there are none."""
        ...

    def location(self, language: str) -> str:
        """Where the text of a language lies, for messages."""
        ...

    def content(self, language: str, digest_of: Callable[[Path], str]) -> object:
        """What decides the documents of a language: digests of files, by `digest_of`, or how they are made."""
        ...

    def remarks(self, language: str) -> Sequence[str]:
        """What a user should know of the text of a language, one line each."""
        ...

    def provenance(self) -> Mapping[str, object]:
        """Where the text comes from and how it was treated, for the record."""
        ...


def composed_share(text: str) -> float:
    """The share of characters that NFC would change, counted over clusters of a base character and its marks."""
    if not text or unicodedata.is_normalized("NFC", text):
        return 0.0
    changed, cluster = 0, ""
    for character in text + "\0":
        joins = unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"
        if joins and cluster:
            cluster += character
            continue
        if cluster and unicodedata.normalize("NFC", cluster) != cluster:
            changed += len(cluster)
        cluster = character
    return changed / len(text)
