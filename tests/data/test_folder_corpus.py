"""A folder of text: both kinds of file, taken as they are, and clear refusals."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from conftest import SYLLABLES, invented

from mbs.data.corpora.base import composed_share
from mbs.data.corpora.folder import FolderCorpus
from mbs.errors import MbsError


def test_corpus_reads_both_kinds_of_file(corpus_folder: Path) -> None:
    corpus = FolderCorpus(corpus_folder)
    assert set(corpus.languages) == set(SYLLABLES)
    assert [document.id for document in corpus.documents("en")[:2]] == ["en-0", "en-1"]
    first = corpus.documents("yo")[0]
    assert (first.id, first.source, first.text) == ("yo/0", "made", invented("yo", 30, 1))


@pytest.mark.guard("mbs/data/corpora/folder.py", "if not documents:", "if False:")
@pytest.mark.parametrize(
    ("files", "words"),
    [({"en.txt": b""}, "en.txt holds no text .0 bytes."), ({"en.txt": b"\xff\xfe"}, "not UTF-8 at byte 0"),
     ({"en.jsonl": b"{"}, "en.jsonl:1 is not JSON"), ({"en.jsonl": b'{"texts": 1}'}, "no field `text`"),
     ({"en.jsonl": b'{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}'}, "repeats the id '1'"),
     ({"en.txt": b"a", "en.jsonl": b""}, "one file per language"), ({"fr.txt": b"a"}, "no en.txt or en.jsonl in")],
)  # fmt: skip
def test_unusable_files_are_named(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MbsError, match=words):
        FolderCorpus(tmp_path).documents("en")


def test_text_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "zh-Hans.txt").write_text("\u3000\u3000山水\n\u3000火 \n \n\n\u3000木\n", encoding="utf-8")
    texts = [document.text for document in FolderCorpus(tmp_path).documents("zh-Hans")]
    assert texts == ["\u3000\u3000山水\n\u3000火 ", "\u3000木"]
    (tmp_path / "en.jsonl").write_text('{"id": null, "text": "a"}\n{"id": null, "text": "b"}')
    assert [document.id for document in FolderCorpus(tmp_path).documents("en")] == ["en-0", "en-1"]


def test_unusable_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MbsError, match=r"corpus\.path names no folder"):
        FolderCorpus(tmp_path / "absent")
    (tmp_path / "english.txt").write_text("hello")
    with pytest.raises(MbsError, match=r"english\.txt.*files named by language code"):
        FolderCorpus(tmp_path)
    with pytest.raises(MbsError, match="normalize=NFKC"):
        FolderCorpus(tmp_path, "NFKC")


@pytest.mark.parametrize(("form", "warned"), [("NFC", False), ("NFD", True)])
def test_decomposed_text_gets_one_remark(tmp_path: Path, form: Any, warned: bool) -> None:
    text = unicodedata.normalize(form, invented("yo", 200))
    (tmp_path / "yo.txt").write_text(text, encoding="utf-8")
    plain = FolderCorpus(tmp_path, role="evaluation")
    assert plain.documents("yo")[0].text == text
    lines = plain.remarks("yo")
    assert [("evaluation.normalize=NFC" in line and "yo.txt" in line) for line in lines] == [True] * warned
    composed = FolderCorpus(tmp_path, "NFC")
    assert composed.documents("yo")[0].text == unicodedata.normalize("NFC", text)
    assert not composed.remarks("yo")


def test_composed_share_counts_clusters() -> None:
    assert composed_share("plain") == 0
    assert composed_share(unicodedata.normalize("NFD", "é") + "bc") == 0.5
    assert composed_share("\u09c7\u09be" * 2) == 1  # a Bengali vowel sign in two parts
    assert composed_share(unicodedata.normalize("NFD", "한") + "가") == 0.75  # conjoining jamo
    assert composed_share("") == 0
