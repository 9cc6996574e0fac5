"""A corpus that is a folder of `<code>.txt` or `<code>.jsonl` files."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from mbs.data.corpora.base import Document, composed_share
from mbs.data.languages import LANGUAGES, Language
from mbs.errors import MbsError

CHECKED_CHARACTERS = 300_000  # enough text to see its Unicode form


class FolderCorpus:
    """Documents from `<code>.txt` (separated by blank lines) or `<code>.jsonl` (`text`, optional `id`, `source`).

    Text is taken as it is unless `normalize` is `NFC`. `role` is the configuration group that messages name.
    """

    def __init__(
        self,
        path: str | Path,
        normalize: str | None = None,
        role: str = "corpus",
        table: Mapping[str, Language] = LANGUAGES,
    ) -> None:
        self.path, self.normalize, self.role = Path(str(path)), normalize, role
        if normalize not in (None, "NFC"):
            raise MbsError(f"{role}.normalize={normalize}", "null or NFC", f"{role}.normalize=NFC")
        if not self.path.is_dir():
            raise MbsError(
                f"{role}.path names no folder: {path}",
                "a folder of <code>.txt or <code>.jsonl files",
                f"{role}.path=FOLDER",
            )
        files = sorted(file for file in self.path.iterdir() if file.suffix in (".txt", ".jsonl"))
        self._files = {code: [file for file in files if file.stem == code] for code in table}
        self._unnamed = [file.name for file in files if file.stem not in table]
        if not any(self._files.values()):
            held = ", ".join(self._unnamed[:5]) or "none"
            raise MbsError(
                f"{role}.path {path} holds no text in a known language (.txt and .jsonl files there: {held})",
                "files named by language code, such as en.txt or sw.jsonl",
            )
        self._load = cache(self._read)
        self._remarks: dict[str, str] = {}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it has a file for, in the order of the language table."""
        return tuple(code for code, files in self._files.items() if files)

    def documents(self, language: str) -> Sequence[Document]:
        """All documents of a language in file order; raises MbsError naming the file that is missing or empty."""
        return self._load(language)

    def location(self, language: str) -> str:
        """The path of the language's file."""
        return ", ".join(str(file) for file in self._files[language]) or str(self.path)

    def content(self, language: str, digest_of: Callable[[Path], str]) -> object:
        """Kind and digest of the language's file; raises MbsError where there is not exactly one."""
        file = self._file(language)
        try:
            return [file.suffix, digest_of(file)]
        except OSError as error:
            raise self._unreadable(file, error) from error

    def remarks(self, language: str) -> Sequence[str]:
        """That the text is not in the Unicode form that models are trained on, where it is not."""
        self.documents(language)
        return [self._remarks[language]] if language in self._remarks else []

    def provenance(self) -> Mapping[str, object]:
        """Kind, folder name and Unicode treatment."""
        return {"kind": "folder", "path": str(self.path), "normalize": self.normalize}

    def _file(self, language: str) -> Path:
        files = self._files.get(language, [])
        if not files:
            raise MbsError(
                f"{self.role}: no {language}.txt or {language}.jsonl in {self.path}",
                f"one of {', '.join(self.languages)}",
                f"languages=[...] without {language}",
            )
        if len(files) > 1:
            raise MbsError(f"{self.role}: both {files[0]} and {files[1].name}", "one file per language")
        return files[0]

    def _unreadable(self, file: Path, error: OSError) -> MbsError:
        return MbsError(f"{self.role}: {file} cannot be read ({error.strerror})", "a readable file")

    def _read(self, language: str) -> tuple[Document, ...]:
        file = self._file(language)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise MbsError(f"{self.role}: {file} is not UTF-8 at byte {error.start}", "UTF-8 text") from None
        except OSError as error:
            raise self._unreadable(file, error) from error
        read = _blank_separated if file.suffix == ".txt" else _json_lines
        documents = tuple(document for document in read(file, text, language) if document.text.strip())
        if not documents:
            raise MbsError(f"{self.role}: {file} holds no text ({file.stat().st_size} bytes)", "at least one document")
        self._check_form(documents, language, file)
        if self.normalize is None:
            return documents
        return tuple(replace(d, text=unicodedata.normalize("NFC", d.text)) for d in documents)

    def _check_form(self, documents: Sequence[Document], language: str, file: Path) -> None:
        share = composed_share("\n".join(document.text for document in documents)[:CHECKED_CHARACTERS])
        if share > 0.01 and self.normalize is None:
            self._remarks[language] = (
                f"{self.role}: {file.name} ({language}): NFC would change {share:.1%} of the characters, and models are"
                f" trained on NFC; try {self.role}.normalize=NFC"
            )


def _blank_separated(file: Path, text: str, language: str) -> list[Document]:
    pieces = (piece.strip("\n") for piece in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")))
    return [Document(f"{language}-{number}", piece) for number, piece in enumerate(pieces)]


def _json_lines(file: Path, text: str, language: str) -> list[Document]:
    documents: list[Document] = []
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise MbsError(f"{file}:{number} is not JSON ({error})", '{"text": "..."} on every line') from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise MbsError(f"{file}:{number} has no field `text` that is text", '{"text": "..."} on every line')
        identity = f"{language}-{number - 1}" if row.get("id") is None else str(row["id"])
        if identity in seen:
            raise MbsError(f"{file}:{number} repeats the id '{identity}'", "ids that differ")
        seen.add(identity)
        source = row.get("source")
        stated = row.get("id") is not None
        documents.append(Document(identity, row["text"], None if source is None else str(source), stated))
    return documents
