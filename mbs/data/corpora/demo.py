"""The embedded corpus: text of the generated world, made when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path

from mbs.data.corpora.base import Document
from mbs.data.languages import LANGUAGES, Language
from mbs.demo.corpus import documents
from mbs.demo.lexicon import languages
from mbs.errors import MbsError, unknown

SPLITS = ("train", "dev", "test")


class GeneratedDocument(Document):
    """One document of the world; its text is made when it is first asked for."""

    def __init__(self, language: str, seed: int, split: str, number: int, parallel: bool) -> None:
        self.__dict__.update(id=f"{split}-{seed}-{number:06d}", source=None, stated=False)
        self.__dict__["key"] = (language, seed, split, number, parallel)

    @cached_property
    def text(self) -> str:
        """The text, the same on every machine."""
        language, seed, split, number, parallel = self.__dict__["key"]
        return next(text for *_, text in documents(language, seed, split, count=1, first=number, parallel=parallel))


class DemoCorpus:
    """Documents of the generated world (`mbs.demo`); it says nothing about the real languages.

    `train` tells combinations of events that the embedded models have seen; `dev` and `test` tell others. With
    `parallel` the k-th document means the same in every language.
    """

    def __init__(
        self,
        split: str,
        seed: int,
        documents: int,
        parallel: bool = False,
        table: Mapping[str, Language] = LANGUAGES,
    ) -> None:
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if isinstance(documents, bool) or not isinstance(documents, int) or documents < 1:
            raise MbsError(f"documents={documents} of generated text", "a whole number of one or more")
        self.split, self.seed, self.size, self.parallel, self._table = split, seed, documents, parallel, table
        self._load = cache(self._generated)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the generated world, in the order of the language table."""
        return tuple(code for code in self._table if code in languages())

    def documents(self, language: str) -> Sequence[Document]:
        """All documents of a language; raises MbsError for a language that the world does not speak."""
        return self._load(language)

    def _generated(self, language: str) -> tuple[Document, ...]:
        self._check(language)
        return tuple(
            GeneratedDocument(language, self.seed, self.split, number, self.parallel) for number in range(self.size)
        )

    def location(self, language: str) -> str:
        """What messages call the text of a language."""
        return f"the generated {self.split} text in {language}"

    def content(self, language: str, digest_of: Callable[[Path], str]) -> object:
        """How the text is made; the code that makes it is part of every identity."""
        self._check(language)
        return {**self.provenance(), "documents": self.size}

    def remarks(self, language: str) -> Sequence[str]:
        """Nothing."""
        return ()

    def provenance(self) -> Mapping[str, object]:
        """How the text is made."""
        return {"kind": "generated", "split": self.split, "seed": self.seed, "parallel": self.parallel}

    def _check(self, language: str) -> None:
        if language not in self.languages:
            raise MbsError(
                f"the generated text has no {language}",
                f"one of {', '.join(self.languages)}",
                "corpus=local corpus.path=FOLDER evaluation=local evaluation.path=FOLDER",
            )
