"""Draws the calibration set: whole segments of tokens per language, the same for a seed in every mix and budget."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mbs.data.corpora.base import Corpus, Document
from mbs.engine.tokenizer import Array, Tokenizer
from mbs.errors import MbsError

ENCODED_AT_ONCE = 32


@dataclass(frozen=True)
class CalibrationSet:
    """Tokens `[N, T]` with the language and the document ids of every row."""

    tokens: Array
    languages: tuple[str, ...]
    documents: tuple[tuple[str, ...], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Segments per language, in row order."""
        return {language: self.languages.count(language) for language in dict.fromkeys(self.languages)}

    @cached_property
    def documents_of(self) -> dict[str, list[str]]:
        """The ids of the documents that each language's segments touch, in order."""
        found: dict[str, dict[str, None]] = {language: {} for language in self.counts}
        for language, ids in zip(self.languages, self.documents, strict=True):
            found[language].update(dict.fromkeys(ids))
        return {language: list(ids) for language, ids in found.items()}

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of shape, tokens and languages."""
        digest = hashlib.sha256(repr((self.tokens.shape, self.languages)).encode())
        digest.update(self.tokens.astype("<i8").tobytes())
        return digest.hexdigest()


def sample_segments(
    corpus: Corpus, counts: Mapping[str, int], tokenizer: Tokenizer, length: int, seed: int
) -> CalibrationSet:
    """The first `counts[language]` segments of each language under the seed; languages in the order of `counts`.

    Raises MbsError when a language has too little text.
    """
    rows: list[Array] = []
    languages: list[str] = []
    documents: list[tuple[str, ...]] = []
    for language, count in counts.items():
        source = segments(corpus, language, tokenizer, length, seed)
        for number in range(count):
            segment = next(source, None)
            if segment is None:
                raise _too_little(corpus, language, tokenizer, number, count, length)
            rows.append(segment[0])
            languages.append(language)
            documents.append(segment[1])
    return CalibrationSet(np.stack(rows), tuple(languages), tuple(documents))


def segments(
    corpus: Corpus, language: str, tokenizer: Tokenizer, length: int, seed: int
) -> Iterator[tuple[Array, tuple[str, ...]]]:
    """Successive windows of `length` tokens over the language's documents in the seed's order, each used once.

    Documents are joined by the model's own separator. Where the model expects a first token in every sequence, each
    segment starts with it, once, and a separator right after it is left out.
    """
    held = np.empty(0, dtype=np.int64)
    owner = np.empty(0, dtype=np.int64)
    order = shuffled(corpus.documents(language), language, seed)
    lead = [] if tokenizer.start is None else [tokenizer.start]
    for start in range(0, len(order), ENCODED_AT_ONCE):
        part = order[start : start + ENCODED_AT_ONCE]
        for offset, ids in enumerate(tokenizer.encode([document.text for document in part])):
            joined = np.concatenate([[tokenizer.separator], ids])
            held = np.concatenate([held, joined])
            owner = np.concatenate([owner, np.full(len(joined), start + offset)])
            while True:
                skip = 1 if lead and len(held) and held[0] == tokenizer.separator else 0
                end = skip + length - len(lead)
                if len(held) < end:
                    break
                row = np.concatenate([np.asarray(lead, dtype=np.int64), held[skip:end]])
                yield row, tuple(order[index].id for index in np.unique(owner[skip:end]))
                held, owner = held[end:], owner[end:]


def shuffled(documents: Sequence[Document], language: str, seed: int) -> list[Document]:
    """The documents in the seed's order: sorted by a hash of seed, language and id, so the same on every machine."""

    def key(document: Document) -> bytes:
        return hashlib.sha256(f"{seed}\0{language}\0{document.id}".encode()).digest()

    return sorted(documents, key=key)


def _too_little(corpus: Corpus, language: str, tokenizer: Tokenizer, found: int, wanted: int, length: int) -> MbsError:
    texts = [document.text for document in corpus.documents(language)]
    size = sum(len(text.encode()) for text in texts)
    tokens = sum(len(ids) for ids in tokenizer.encode(texts))
    return MbsError(
        f"{corpus.location(language)} holds {tokens} tokens ({len(texts)} documents, {size} bytes),"
        f" which make {found} segments of {length}",
        f"{wanted} segments",
        "more text, or a smaller calibration.segments or calibration.length",
    )
