"""Evaluation text cut into windows of tokens, so that every scored token belongs to exactly one row of the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mbs.data.corpora.base import Corpus, Document
from mbs.engine.tokenizer import Array, Encoded, Tokenizer
from mbs.errors import MbsError, unknown

PROTOCOLS = ("documents", "paper")
SPLITS = ("all", "first", "second")


@dataclass(frozen=True)
class PerplexityTask:
    """What to measure perplexity on, and how.

    `documents`: every document by itself from the model's first token or separator, in windows of `length` where it is
    longer, each later window starting from the last token of the one before (after the first token of a sequence, where
    the model expects one); nothing is dropped. `paper`: the documents joined by
    blank lines, cut into windows of `length`, the tail dropped, the first token of a window not scored (Zeng et al.,
    2024, evaluation code). The text is that of `corpus`, or of the folder `path`.

    `split` takes the first or the second half of the documents: what is chosen by looking at scores looks at the first,
    and what is reported of it is measured on the second. `windows` takes that many windows per language, evenly spaced.
    On `divergence` tokens per language, spread evenly, the whole distributions of the two models are compared.
    `parallel` says whether the k-th document of every language is the same in translation; None: where the texts' own
    ids agree.
    """

    path: str | None = None
    documents: int | None = None
    protocol: str = "documents"
    length: int = 2048
    normalize: str | None = None
    corpus: Corpus | None = None
    windows: int | None = None
    split: str = "all"
    divergence: int = 2048
    parallel: bool | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise unknown("evaluation.protocol", str(self.protocol), PROTOCOLS)
        if self.split not in SPLITS:
            raise unknown("evaluation.split", str(self.split), SPLITS)
        for key in ("documents", "windows"):
            value = getattr(self, key)
            if value is not None and not _whole(value, 1):
                raise MbsError(f"evaluation.{key}={value}", "a whole number of one or more, or null for all")
        if not _whole(self.length, 2):
            raise MbsError(f"evaluation.length={self.length}", "a whole number of two or more")
        if self.parallel not in (None, True, False):
            raise MbsError(f"evaluation.parallel={self.parallel}", "true, false, or null to go by the texts' own ids")
        if not _whole(self.divergence, 0):
            raise MbsError(f"evaluation.divergence={self.divergence}", "a whole number of tokens, 0 for none")

    @property
    def whole_documents(self) -> bool:
        """Whether every unit of the scores is a whole document."""
        return self.protocol == "documents" and self.windows is None

    def chosen(self, corpus: Corpus, language: str) -> Sequence[Document]:
        """The documents of one language that are measured; their numbers are the same in every language."""
        documents = corpus.documents(language)[: self.documents]
        if self.documents is not None and len(documents) < self.documents:
            raise MbsError(
                f"evaluation.documents={self.documents}, but {corpus.location(language)} holds {len(documents)}",
                "as many documents in every language",
                f"evaluation.documents={len(documents)}",
            )
        if self.split == "all":
            return documents
        if len(documents) < 2:
            raise MbsError(
                f"evaluation.split={self.split}, but {corpus.location(language)} holds one document",
                "two documents or more to split",
                "evaluation.split=all",
            )
        half = (len(documents) + 1) // 2
        return documents[:half] if self.split == "first" else documents[half:]

    def read(self, corpus: Corpus, language: str, tokenizer: Tokenizer) -> LanguageText:
        """The windows of one language."""
        documents = self.chosen(corpus, language)
        if self.protocol == "documents":
            text = by_document(language, documents, tokenizer, self.length)
        else:
            text = by_window(language, documents, tokenizer, self.length)
        if not text.windows:
            raise MbsError(
                f"{corpus.location(language)} does not fill one window of evaluation.length={self.length} tokens",
                "more text with evaluation.protocol=paper, which drops what does not fill a window",
                "a smaller evaluation.length, or evaluation.protocol=documents",
            )
        return text if self.windows is None else evenly_spaced(text, self.windows)


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
    """A language's windows of tokens; all but the first `context` tokens of a window are scored, for its unit.

    `sizes` holds the scored tokens, bytes and characters of each window; `dropped_windows` how many a cap left out.
    """

    language: str
    windows: tuple[Array, ...]
    context: tuple[int, ...]
    unit_of_window: tuple[int, ...]
    units: tuple[Unit, ...]
    sizes: tuple[tuple[int, int, int], ...]
    dropped_windows: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens are scored."""
        return sum(unit.tokens for unit in self.units)

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
    sizes: list[tuple[int, int, int]] = []
    for document, encoded in zip(documents, tokenizer.measure([d.text for d in documents]), strict=True):
        done = 0
        while done < len(encoded.ids):
            before = [*again, *encoded.ids[done - 1 : done]] if done else lead
            fresh = encoded.ids[done : done + length - len(before)]
            windows.append(np.concatenate([before, fresh]).astype(np.int64))
            context.append(len(before))
            unit_of_window.append(len(units))
            sizes.append(_size(encoded, done, done + len(fresh)))
            done += len(fresh)
        units.append(Unit(document.id, document.content_hash, *_size(encoded, 0, done)))
    return LanguageText(language, tuple(windows), tuple(context), tuple(unit_of_window), tuple(units), tuple(sizes))


def by_window(language: str, documents: Sequence[Document], tokenizer: Tokenizer, length: int) -> LanguageText:
    """The documents joined by blank lines and cut into whole windows, as in the paper."""
    (encoded,) = tokenizer.measure(["\n\n".join(document.text for document in documents)])
    windows: list[Array] = []
    units: list[Unit] = []
    sizes: list[tuple[int, int, int]] = []
    for start in range(0, len(encoded.ids) - length + 1, length):
        window = encoded.ids[start : start + length]
        sizes.append(_size(encoded, start + 1, start + length))
        content = hashlib.sha256(window.astype("<i8").tobytes()).hexdigest()
        units.append(Unit(f"{language}-window-{len(units)}", content, *sizes[-1]))
        windows.append(window)
    every = tuple(range(len(units)))
    return LanguageText(language, tuple(windows), (1,) * len(units), every, tuple(units), tuple(sizes))


def evenly_spaced(text: LanguageText, count: int) -> LanguageText:
    """At most `count` of the windows, evenly spaced over all; units keep what is left of them, or vanish."""
    total = len(text.windows)
    if count >= total:
        return text
    kept = [(2 * number + 1) * total // (2 * count) for number in range(count)]
    left: dict[int, list[int]] = {}
    for row in kept:
        left.setdefault(text.unit_of_window[row], []).append(row)
    units = [
        Unit(text.units[unit].id, text.units[unit].content_hash, *np.sum([text.sizes[row] for row in rows], 0).tolist())
        for unit, rows in left.items()
    ]
    return LanguageText(
        text.language,
        tuple(text.windows[row] for row in kept),
        tuple(text.context[row] for row in kept),
        tuple(number for number, rows in enumerate(left.values()) for _ in rows),
        tuple(units),
        tuple(text.sizes[row] for row in kept),
        text.dropped_windows + total - count,
    )


def _size(encoded: Encoded, start: int, end: int) -> tuple[int, int, int]:
    return end - start, int(encoded.bytes[start:end].sum()), int(encoded.characters[start:end].sum())


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
