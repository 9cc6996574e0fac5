"""Evaluation text from the hub: XL-Sum and WikiText-2, as the paper measures perplexity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mbs.data.corpora.base import Document
from mbs.data.languages import LANGUAGES, PAPER_LANGUAGES, Language
from mbs.errors import MbsError
from mbs.storage.digests import digest

WIKITEXT = "wikitext2"
XLSUM_FILES = "hf://datasets/csebuetnlp/xlsum@refs/convert/parquet/{name}/validation/*.parquet"
WIKITEXT_FILES = "hf://datasets/Salesforce/wikitext/wikitext-2-raw-v1/test-*.parquet"


class XLSum:
    """The articles of XL-Sum's validation split, and the lines of WikiText-2's test split (Zeng et al., 2024).

    From the hub's parquet files, as datasets 5 runs no scripts, or from a folder with `<xlsum name>/validation/` and
    `wikitext-2-raw-v1/test/` full of such files. `languages` are the paper's; others may be asked for.
    """

    def __init__(
        self,
        path: str | None = None,
        wikitext: bool = True,
        table: Mapping[str, Language] = LANGUAGES,
    ) -> None:
        self.path, self.wikitext, self._table = path, wikitext, table
        if path is not None and not Path(path).is_dir():
            raise MbsError(
                f"evaluation.corpus.path names no folder: {path}", "a folder of <xlsum name>/validation/*.parquet"
            )
        self._load = cache(self._read)

    @property
    def languages(self) -> tuple[str, ...]:
        """The paper's languages, and WikiText-2 beside them."""
        return (*PAPER_LANGUAGES, *([WIKITEXT] if self.wikitext else []))

    def documents(self, language: str) -> Sequence[Document]:
        """All articles of a language; raises MbsError where XL-Sum has none or they cannot be had."""
        return self._load(language)

    def location(self, language: str) -> str:
        """The files of a language."""
        if language == WIKITEXT:
            files, local = WIKITEXT_FILES, "wikitext-2-raw-v1/test"
        else:
            name = self._table[language].xlsum
            if name is None:
                held = ", ".join(code for code, row in self._table.items() if row.xlsum)
                raise MbsError(f"XL-Sum has no {language}", f"one of {held}", f"languages=[...] without {language}")
            files, local = XLSUM_FILES.format(name=name), f"{name}/validation"
        return files if self.path is None else str(Path(self.path, local, "*.parquet"))

    def content(self, language: str, digest_of: Callable[[Path], str]) -> object:
        """Digests of local files by name; of the hub's articles themselves, as their files may change there."""
        if self.path is None:
            return digest([document.content_hash for document in self.documents(language)])
        files = Path(self.location(language))
        return {file.name: digest_of(file) for file in sorted(files.parent.glob(files.name))}

    def remarks(self, language: str) -> Sequence[str]:
        """Nothing."""
        return ()

    def provenance(self) -> Mapping[str, object]:
        """Which data sets, and from where."""
        return {"kind": "xlsum", "path": self.path, "wikitext": self.wikitext}

    def _read(self, language: str) -> tuple[Document, ...]:
        rows = parquet_rows(self.location(language))
        if language == WIKITEXT:
            return tuple(Document(f"line-{number}", row["text"], WIKITEXT) for number, row in enumerate(rows))
        return tuple(Document(str(row["id"]), row["text"], row.get("url"), True) for row in rows)


def parquet_rows(files: str) -> list[dict[str, Any]]:
    """The rows of parquet files, here or on the hub; raises one clear line when they cannot be read."""
    try:
        return _from_hub(files) if files.startswith("hf://") else _from_folder(Path(files))
    except Exception as error:  # the hub, the network, the cache and damaged files raise errors of many kinds
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise MbsError(
            f"{files} cannot be read ({type(error).__name__}: {reason})",
            "the hub within reach, or local files",
            "evaluation.corpus.path=FOLDER, or evaluation.path=FOLDER with text of your own",
        ) from error


def _from_folder(files: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found = sorted(files.parent.glob(files.name))
    if not found:
        raise FileNotFoundError(f"no such file in {files.parent}")
    return [row for file in found for row in pq.read_table(file).to_pylist()]


def _from_hub(files: str) -> list[dict[str, Any]]:
    from datasets import load_dataset

    return [dict(row) for row in load_dataset("parquet", data_files={"rows": files}, split="rows")]
