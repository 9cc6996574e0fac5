"""The embedded corpus: documents of the generated world, from the sample that lies beside the embedded models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from mbs.data.corpora.base import Document
from mbs.data.languages import LANGUAGES, Language
from mbs.demo import sample
from mbs.errors import MbsError, unknown


class DemoCorpus:
    """The first documents of a split of the embedded text (`mbs.demo.sample`).

    It says nothing about the real languages. In `dev` and `test` the k-th document means the same in every language.
    """

    def __init__(self, split: str, documents: int, table: Mapping[str, Language] = LANGUAGES) -> None:
        if split not in sample.DOCUMENTS:
            raise unknown("split", split, sample.DOCUMENTS)
        held = sample.DOCUMENTS[split]
        if isinstance(documents, bool) or not isinstance(documents, int) or not 1 <= documents <= held:
            group = "corpus" if split == "train" else "evaluation"
            raise MbsError(
                f"documents={documents} of the generated {split} text",
                f"a whole number from 1 to {held}, which is all that is there",
                f"{group}.documents={held}",
            )
        self.split, self.size, self._table = split, documents, table
        self._load = cache(self._read)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the generated world, in the order of the language table."""
        return tuple(code for code in self._table if code in sample.LANGUAGES)

    def documents(self, language: str) -> Sequence[Document]:
        """The documents of a language; raises MbsError for a language that the world does not speak."""
        return self._load(language)

    def _read(self, language: str) -> tuple[Document, ...]:
        self._check(language)
        return tuple(Document(*kept) for kept in sample.documents(language, self.split)[: self.size])

    def location(self, language: str) -> str:
        """What messages call the text of a language."""
        return f"the generated {self.split} text in {language}"

    def content(self, language: str, digest_of: Callable[[Path], str]) -> object:
        """Digest of the language's file, and how many of its documents count."""
        self._check(language)
        return [digest_of(sample.sample_file(self.split, language)), self.size]

    def remarks(self, language: str) -> Sequence[str]:
        """Nothing."""
        return ()

    def provenance(self) -> Mapping[str, object]:
        """Which part of the sample it is."""
        return {"kind": "generated", "split": self.split}

    def _check(self, language: str) -> None:
        if language not in self.languages:
            raise MbsError(
                f"the generated text has no {language}",
                f"one of {', '.join(self.languages)}",
                "corpus=local corpus.path=FOLDER evaluation=local evaluation.path=FOLDER",
            )
