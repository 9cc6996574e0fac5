"""Evaluation text cut into windows of tokens, so that every scored token belongs to exactly one row of the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mbs.corpora.base import Corpus, Document
from mbs.errors import MbsError, unknown
from mbs.tokenizer import Array, Tokenizer

PROTOCOLS = ("documents", "paper")


@dataclass(frozen=True)
class PerplexityTask:
    """What to measure perplexity on, and how.

    `documents`: every document by itself from the model's first token or separator, in windows of `length` where it is
    longer, each later window starting from the last token of the one before (after the first token of a sequence, where
    the model expects one); nothing is dropped. `paper`: the documents joined by
    blank lines, cut into windows of `length`, the tail dropped, the first token of a window not scored (Zeng et al.,
    2024, evaluation code). The text is that of `corpus`, or of the folder `path`.
    """

    path: str | None = None
    documents: int | None = None
    protocol: str = "documents"
    length: int = 2048
    normalize: str | None = None
    corpus: Corpus | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise unknown("evaluation.protocol", str(self.protocol), PROTOCOLS)
        if self.documents is not None and not _whole(self.documents, 1):
            raise MbsError(f"evaluation.documents={self.documents}", "a whole number of one or more, or null for all")
        if not _whole(self.length, 2):
            raise MbsError(f"evaluation.length={self.length}", "a whole number of two or more")

    def read(self, corpus: Corpus, language: str, tokenizer: Tokenizer) -> LanguageText:
        """The windows of one language; the first `documents` documents are the same in every language."""
        documents = corpus.documents(language)[: self.documents]
        if self.documents is not None and len(documents) < self.documents:
            raise MbsError(
                f"evaluation.documents={self.documents}, but {corpus.location(language)} holds {len(documents)}",
                "as many documents in every language",
                f"evaluation.documents={len(documents)}",
            )
        if self.protocol == "documents":
            return by_document(language, documents, tokenizer, self.length)
        text = by_window(language, documents, tokenizer, self.length)
        if not text.windows:
            raise MbsError(
                f"{corpus.location(language)} does not fill one window of evaluation.length={self.length} tokens",
                "more text with evaluation.protocol=paper, which drops what does not fill a window",
                "a smaller evaluation.length, or evaluation.protocol=documents",
            )
        return text


@dataclass(frozen=True)
class Unit:
    """One row of the scores: a document, or a window of joined text."""

    id: str
    content_hash: str
    tokens: int
    bytes: int
    characters: int


@dataclass(frozen=True)
class LanguageText:
    """A language's windows of tokens; all but the first `context` tokens of a window are scored, for its unit."""

    language: str
    windows: tuple[Array, ...]
    context: tuple[int, ...]
    unit_of_window: tuple[int, ...]
    units: tuple[Unit, ...]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of all windows."""
        digest = hashlib.sha256(repr([[len(window) for window in self.windows], self.context]).encode())
        for window in self.windows:
            digest.update(window.astype("<i8").tobytes())
        return digest.hexdigest()


def by_document(language: str, documents: Sequence[Document], tokenizer: Tokenizer, length: int) -> LanguageText:
    """Every document by itself, from the first token that the model expects, or the separator."""
    windows: list[Array] = []
    context: list[int] = []
    lead = [tokenizer.separator if tokenizer.start is None else tokenizer.start]
    again = [] if tokenizer.start is None else lead
    if length < 2 + len(again):
        raise MbsError(f"evaluation.length={length}", f"{2 + len(again)} or more")
    unit_of_window: list[int] = []
    units: list[Unit] = []
    for document, encoded in zip(documents, tokenizer.measure([d.text for d in documents]), strict=True):
        done = 0
        while done < len(encoded.ids):
            before = [*again, *encoded.ids[done - 1 : done]] if done else lead
            fresh = encoded.ids[done : done + length - len(before)]
            windows.append(np.concatenate([before, fresh]).astype(np.int64))
            context.append(len(before))
            unit_of_window.append(len(units))
            done += len(fresh)
        size = (len(encoded.ids), int(encoded.bytes.sum()), int(encoded.characters.sum()))
        units.append(Unit(document.id, document.content_hash, *size))
    return LanguageText(language, tuple(windows), tuple(context), tuple(unit_of_window), tuple(units))


def by_window(language: str, documents: Sequence[Document], tokenizer: Tokenizer, length: int) -> LanguageText:
    """The documents joined by blank lines and cut into whole windows, as in the paper."""
    (encoded,) = tokenizer.measure(["\n\n".join(document.text for document in documents)])
    windows: list[Array] = []
    units: list[Unit] = []
    for start in range(0, len(encoded.ids) - length + 1, length):
        window = encoded.ids[start : start + length]
        scored = slice(start + 1, start + length)
        size = (length - 1, int(encoded.bytes[scored].sum()), int(encoded.characters[scored].sum()))
        content = hashlib.sha256(window.astype("<i8").tobytes()).hexdigest()
        units.append(Unit(f"{language}-window-{len(units)}", content, *size))
        windows.append(window)
    return LanguageText(language, tuple(windows), (1,) * len(units), tuple(range(len(units))), tuple(units))


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
