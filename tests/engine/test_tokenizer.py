"""Tokens state their own bytes and characters."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import SYLLABLES, invented, shared

from mbs.data.languages import PAPER_LANGUAGES
from mbs.engine.tokenizer import Tokenizer


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
