"""What a tokenizer makes of a language: cases counted by hand, and a plain way that walks over characters."""

from __future__ import annotations

import pytest
from conftest import SYLLABLES, invented, wrapped
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from mbs.data.languages import LANGUAGES
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.fertility import tokenization, tokenizations

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]


@pytest.fixture(scope="module")
def bytewise() -> Tokenizer:
    """Every byte is a token, but for `ab`, the two bytes of `é` (Ã ©), and a space with the first byte of `水`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("a", "b"), ("Ã", "©"), ("Ġ", "æ")]
    names = [*SPECIAL, *alphabet, *("".join(pair) for pair in merges)]
    backend = Backend(models.BPE({name: token for token, name in enumerate(names)}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Tokenizer(wrapped(backend))


@pytest.fixture(scope="module")
def sentencepiece() -> Tokenizer:
    """Pieces with `▁` for spaces, and bytes such as `<0xE6>` for what is not in the vocabulary."""
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    names = [*SPECIAL, *fallback, "▁", "a", "b", "▁a", "▁ab"]
    backend = Backend(
        models.BPE(
            {name: token for token, name in enumerate(names)}, [("▁", "a"), ("▁a", "b")], unk_token="<unk>",
            byte_fallback=True,
        )
    )  # fmt: skip
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return Tokenizer(wrapped(backend))


def test_words_by_hand(bytewise: Tokenizer) -> None:
    """`ab abc é` is ab | space | ab | c | space | é: six tokens, three words of which one is split."""
    found = tokenization(["ab abc é"], bytewise, "Latn")
    assert (found.unit, found.units, found.tokens) == ("word", 3, 6)
    assert found.fertility == pytest.approx(6 / 3)
    assert found.split == pytest.approx(1 / 3)
    assert found.bytes_per_token == pytest.approx(9 / 6)
    assert found.characters_per_token == pytest.approx(8 / 6)
    assert found.byte_fallback == 0
    assert found.premium is None


def test_characters_by_hand(bytewise: Tokenizer) -> None:
    """`é 水ab` is é | space and E6 | B0 | B4 | ab: of four characters one is split, three of five tokens are broken."""
    found = tokenization(["é 水ab"], bytewise, "Hans")
    assert (found.unit, found.units, found.tokens) == ("character", 4, 5)
    assert found.fertility == pytest.approx(5 / 4)
    assert found.split == pytest.approx(1 / 4)
    assert found.byte_fallback == pytest.approx(3 / 5)
    assert tokenization(["é 水ab"], bytewise, "Latn").split == pytest.approx(1 / 2)


def test_byte_fallback_of_a_tokenizer_that_is_not_byte_level(sentencepiece: Tokenizer) -> None:
    """`ab a水` is ▁ab | ▁a | E6 | B0 | B4."""
    assert sentencepiece.hf.tokenize("ab a水") == ["▁ab", "▁a", "<0xE6>", "<0xB0>", "<0xB4>"]
    found = tokenization(["ab a水"], sentencepiece, "Latn")
    assert (found.tokens, found.units) == (5, 2)
    assert found.split == pytest.approx(1 / 2)
    assert found.byte_fallback == pytest.approx(3 / 5)
    assert found.bytes_per_token == pytest.approx(7 / 5)
    assert not sentencepiece.broken[sentencepiece.hf.convert_tokens_to_ids("<0x41>")]


def test_white_space_of_every_kind(bytewise: Tokenizer) -> None:
    text = "\n ab\u3000ab\u00a0ab\t\r\nab\u2028ab "
    found = tokenization([text, "ab"], bytewise, "Latn")
    assert found.units == len(text.split()) + 1 == 6
    assert found.split == 0


@pytest.mark.parametrize("language", SYLLABLES)
def test_against_a_walk_over_words(language: str, tokenizer: Tokenizer) -> None:
    texts = [invented(language, 50, seed) for seed in range(3)]
    found = tokenization(texts, tokenizer, LANGUAGES[language].script)
    pieces = []
    tokens = 0
    for text in texts:
        owner = [k for k, size in enumerate(tokenizer.measure([text])[0].bytes) for _ in range(size)]
        tokens += owner[-1] + 1
        at = 0
        for part in text if found.unit == "character" else [p for word in text.split(" ") for p in (word, " ")]:
            size = len(part.encode())
            if part.strip():
                pieces.append(len(set(owner[at : at + size])))
            at += size
    assert (found.tokens, found.units) == (tokens, len(pieces))
    assert found.split == pytest.approx(sum(count > 1 for count in pieces) / len(pieces))


def test_premium_on_parallel_text_only(bytewise: Tokenizer) -> None:
    texts = {"en": ["ab ab", "ab"], "fr": ["é é é", "abc"]}
    assert tokenizations(texts, bytewise)["fr"].premium is None
    parallel = tokenizations(texts, bytewise, parallel=True)
    assert parallel["en"].premium == 1
    assert parallel["fr"].premium == pytest.approx((5 + 2) / (3 + 1))
    assert tokenizations({"fr": ["é"]}, bytewise, parallel=True)["fr"].premium is None
    with pytest.raises(MbsError, match="1 documents in fr and 2 in en"):
        tokenizations({**texts, "fr": ["é"]}, bytewise, parallel=True)


def test_text_without_a_word_is_refused(bytewise: Tokenizer) -> None:
    with pytest.raises(MbsError, match="no word in sw"):
        tokenizations({"sw": [" \n"]}, bytewise)
    with pytest.raises(MbsError, match="no character in"):
        tokenization([], bytewise, "Thai")
