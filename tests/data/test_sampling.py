"""Languages, shares, mixes, corpora and the sampler: whole counts, the same segments everywhere, clear refusals."""

from __future__ import annotations

import json
import random
import unicodedata
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SYLLABLES, invented, shared, wrapped
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import processors

from mbs.data.corpora.base import composed_share
from mbs.data.corpora.folder import FolderCorpus
from mbs.data.languages import LANGUAGES, PAPER_LANGUAGES, checked, extended
from mbs.data.mixes import Custom, Mbs, Mix, Single, Uniform, apportion, apportion_with_floor, plan
from mbs.data.sampler import sample_segments, segments, shuffled
from mbs.data.shares import declare_shares, roots
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError

amounts = st.dictionaries(st.sampled_from(sorted(LANGUAGES)), st.integers(1, 10**12), min_size=1, max_size=20)


def test_the_papers_counts() -> None:
    weights = {code: roots().amounts[code] for code in PAPER_LANGUAGES}
    counts = apportion_with_floor(weights, 256)
    assert [counts[code] for code in PAPER_LANGUAGES] == [87, 47, 37, 31, 14, 13, 7, 4, 3, 3] + [1] * 10


@pytest.mark.guard(
    "mbs/data/mixes.py",
    "key=lambda language: (counts[language] - quota[language], language))",
    "key=lambda language: 0)",
)
@given(amounts, st.integers(0, 500), st.randoms())
def test_counts_sum_and_ignore_key_order(weights: dict[str, int], extra: int, order: random.Random) -> None:
    exact = {code: Fraction(amount) for code, amount in weights.items()}
    shuffled_keys = sorted(exact, key=lambda code: order.random())
    segments = len(exact) + extra
    for rule in (apportion, apportion_with_floor):
        counts = rule(exact, segments)
        assert sum(counts.values()) == segments
        assert counts == rule({code: exact[code] for code in shuffled_keys}, segments)
    assert min(counts.values()) >= 1


def test_fewer_segments_than_languages_is_refused() -> None:
    with pytest.raises(MbsError, match=r"calibration\.segments=1 for 2 languages"):
        apportion_with_floor({"en": Fraction(1), "sw": Fraction(1)}, 1)


def test_the_table_has_every_benchmark_language() -> None:
    xnli = {row.xnli for row in LANGUAGES.values() if row.xnli}
    assert xnli == {"ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh"}
    assert len(PAPER_LANGUAGES) == 20
    assert all(LANGUAGES[code].roots_bytes and LANGUAGES[code].xlsum for code in PAPER_LANGUAGES)
    assert {"et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi"} <= set(LANGUAGES)
    assert sum(LANGUAGES[code].roots_bytes or 0 for code in PAPER_LANGUAGES) == 1_410_749_887_102


def test_unknown_languages_get_a_suggestion() -> None:
    with pytest.raises(MbsError, match=r"languages: unknown language 'zh-hans'.*try 'zh-Hans'"):
        checked(["zh-hans"], "languages")
    with pytest.raises(MbsError, match="twice"):
        checked(["en", "en"], "languages")


def test_a_user_can_add_a_language() -> None:
    table = extended({"eo": {"name": "Esperanto", "script": "Latn", "family": "constructed"}})
    assert checked(["eo", "en"], "languages", table) == ("eo", "en")
    with pytest.raises(MbsError, match="no script, family"):
        extended({"eo": {"name": "Esperanto"}})
    with pytest.raises(MbsError, match="colour"):
        extended({"eo": {"name": "E", "script": "Latn", "family": "c", "colour": "green"}})


@pytest.mark.parametrize("wrong", [{False: 1.0}, {True: 0.2, "en": 0.8}])
def test_yaml_booleans_are_explained(wrong: Any) -> None:
    for make in (lambda: Custom(wrong), lambda: declare_shares(wrong), lambda: extended(wrong)):
        with pytest.raises(MbsError, match=r'YAML reads the bare words no, off, on and yes.*write "no"'):
            make()


def test_shares_from_everything_that_declares_them(tmp_path: Path) -> None:
    file = tmp_path / "shares.json"
    file.write_text(json.dumps({"share": {"sw": 1, "en": 3}, "unit": "tokens", "source": "a card"}))
    read = declare_shares(str(file))
    assert read is not None
    assert (read.unit, read.source, read.languages, read.share("en")) == ("tokens", "a card", ("en", "sw"), 0.75)
    mapped = declare_shares({"en": 1, "other": 3})
    assert mapped is not None
    assert (mapped.share("en"), mapped.languages, mapped.share("fr")) == (0.25, ("en",), None)
    bloom = declare_shares("roots")
    assert bloom is not None
    assert bloom.languages[:3] == ("en", "zh-Hans", "fr")
    assert declare_shares(None) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [("nowhere.json", "names no file"), (7, "`roots`, a JSON file"), ({}, "declares no language"),
     ({"en": -1}, "number of zero or more"), ({"en": "much"}, "number of zero or more"), ({"en": 0}, "only zeros"),
     ({"share": {"xx": 1}}, "unknown language 'xx'"), ({"en": True}, "number of zero or more")],
)  # fmt: skip
def test_wrong_shares_are_refused(value: Any, words: str) -> None:
    with pytest.raises(MbsError, match=words):
        declare_shares(value)


@pytest.mark.parametrize(("content", "words"), [("{", "is not JSON"), ("[1]", "holds a list")])
def test_unreadable_share_files_are_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "shares.json"
    file.write_text(content)
    with pytest.raises(MbsError, match=words):
        declare_shares(str(file))


def test_mixes_plan_what_the_corpus_has() -> None:
    shares = declare_shares({"en": 6, "fr": 3, "sw": 1})
    available = ("en", "sw", "yo")
    mbs = plan(Mbs(), ("en", "fr", "sw"), available, 7, shares)
    assert (mbs.counts, mbs.dropped) == ({"en": 6, "sw": 1}, ("fr",))
    assert plan(Single("sw"), ("en",), available, 7, None).counts == {"sw": 7}
    assert plan(Uniform(), available, available, 7, None).counts == {"en": 3, "sw": 2, "yo": 2}
    custom = plan(Custom({"sw": 1, "en": 999, "yo": 0}), (), available, 5, None)
    assert (custom.counts, custom.without_segment) == ({"en": 5}, ("sw",))


@pytest.mark.parametrize(
    ("mix", "shares", "words"),
    [(Mbs(), None, "model.shares is not set"), (Mbs(), {"yo": 1}, "declares none of"),
     (Single("fr"), None, "corpus has none of them")],
)  # fmt: skip
def test_impossible_mixes_are_refused(mix: Mix, shares: Any, words: str) -> None:
    with pytest.raises(MbsError, match=words):
        plan(mix, ("en", "sw"), ("en", "sw"), 4, declare_shares(shares))


@pytest.mark.parametrize("weights", [None, {}, {"en": -1}, {"en": "x"}, {"en": 0}, {"en": float("inf")}])
def test_wrong_weights_are_refused(weights: Any) -> None:
    with pytest.raises(MbsError, match="weights"):
        Custom(weights)


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


def test_tokens_state_their_own_bytes(tokenizer: Tokenizer) -> None:
    texts = [invented(language, 50) for language in SYLLABLES] + ["", "naïve 山 </s> 👩‍👩‍👧"]
    for text, encoded, ids in zip(texts, tokenizer.measure(texts), tokenizer.encode(texts), strict=True):
        assert encoded.bytes.sum() == len(text.encode())
        assert encoded.characters.sum() == len(text)
        assert (encoded.ids == ids).all()
        assert tokenizer.separator not in ids


def test_other_tokenizers_count_bytes_between_ends(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    text = invented("zh-Hans", 20) + "a"
    own = tokenizer.measure([text])[0]
    monkeypatch.setitem(vars(tokenizer), "_own_lengths", np.zeros((2, 400), dtype=np.int64))
    between = tokenizer.measure([text])[0]
    assert (between.bytes.sum(), between.characters.sum()) == (own.bytes.sum(), own.characters.sum())


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


@pytest.mark.skipif(shared("data", "ntrex") is None, reason="needs MBS_SHARED")
@pytest.mark.parametrize("language", PAPER_LANGUAGES)
def test_bytes_of_a_real_file_sum_to_its_size(language: str) -> None:
    from mbs.engine.checkpoint import open_tokenizer

    folder, model = shared("data", "ntrex"), shared("models", "mini-bloom")
    assert folder
    assert model
    text = (folder / f"{language}.txt").read_bytes()
    (encoded,) = open_tokenizer(model).measure([text.decode()])
    assert encoded.bytes.sum() == len(text)
    assert encoded.characters.sum() == len(text.decode())
