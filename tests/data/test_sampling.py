"""The sampler: exact segments, the same on every machine and in every mix, never drawn twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import wrapped
from tokenizers import Tokenizer as Backend
from tokenizers import processors

from mbs.data.corpora.folder import FolderCorpus
from mbs.data.sampler import sample_segments, segments, shuffled
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError


@pytest.mark.parametrize("name", ["tokenizer", "bos_tokenizer"])
def test_segments_are_exact_and_never_repeat(name: str, corpus_folder: Path, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(name)
    corpus = FolderCorpus(corpus_folder)
    drawn = list(segments(corpus, "sw", tokenizer, 16, seed=0))
    assert len(drawn) > 20
    assert {len(row) for row, _ in drawn} == {16}
    documents = shuffled(corpus.documents("sw"), "sw", 0)
    encoded = tokenizer.encode([document.text for document in documents])
    stream = np.concatenate([np.concatenate([[tokenizer.separator], ids]) for ids in encoded]).tolist()
    flat: list[int] = []
    for row, _ in drawn:
        body = row.tolist()
        if tokenizer.start is not None:
            assert body.pop(0) == tokenizer.start
            assert tokenizer.start not in body
            if stream[len(flat)] == tokenizer.separator:
                flat.append(tokenizer.separator)
            assert body[0] != tokenizer.separator
        flat += body
    assert flat == stream[: len(flat)]
    assert all(set(ids) <= {document.id for document in documents} and ids for _, ids in drawn)


def test_a_segment_is_the_same_in_every_mix_and_budget(tokenizer: Tokenizer, corpus_folder: Path) -> None:
    corpus = FolderCorpus(corpus_folder)
    small = sample_segments(corpus, {"en": 1, "sw": 2}, tokenizer, 16, seed=5)
    large = sample_segments(FolderCorpus(corpus_folder), {"sw": 4, "yo": 1, "en": 3}, tokenizer, 16, seed=5)
    assert (small.tokens[1:] == large.tokens[:2]).all()
    assert (small.tokens[0] == large.tokens[5]).all()
    other = sample_segments(corpus, {"en": 1, "sw": 2}, tokenizer, 16, seed=6)
    assert other.content_hash != small.content_hash
    assert small.counts == {"en": 1, "sw": 2}
    assert small.documents_of.keys() == {"en", "sw"}


def test_a_token_that_is_appended_is_no_first_token(backend: Backend) -> None:
    copy = Backend.from_str(backend.to_str())
    copy.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    assert Tokenizer(wrapped(copy)).start is None


@pytest.mark.guard("mbs/data/sampler.py", "return sorted(documents, key=key)", "return list(documents)")
def test_known_tokens_for_a_known_seed(tokenizer: Tokenizer, corpus_folder: Path) -> None:
    """The order of documents is a matter of hashes alone: the same on every machine and in every version."""
    order = shuffled(FolderCorpus(corpus_folder).documents("en"), "en", 0)
    assert [document.id for document in order[:4]] == ["en-9", "en-6", "en-38", "en-25"]


@pytest.mark.guard(
    "mbs/data/sampler.py", "raise _too_little(corpus, language, tokenizer, number, count, length)", "break"
)
def test_too_little_text_says_what_there_is(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("ba ke ti mo")
    with pytest.raises(MbsError, match=r"en.txt holds \d+ tokens \(1 documents, 11 bytes\), which make 0 segments"):
        sample_segments(FolderCorpus(tmp_path), {"en": 1}, tokenizer, 64, 0)
