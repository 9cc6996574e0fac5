"""What a model writes: greedy against a plain loop, measures counted by hand, languages of clear sentences."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from conftest import invented, random_model
from transformers import GenerationConfig

from mbs.data.corpora.base import Document
from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.continuations import Continuation, Prompt, judge, prompts, references, repetition, write
from mbs.evaluation.language_id import Identifier

CLEAR = {
    "en": "The weather was cold this morning, so we stayed at home and read the newspaper.",
    "fr": "Il faisait froid ce matin, alors nous sommes restés à la maison pour lire le journal.",
    "es": "Esta mañana hacía mucho frío, así que nos quedamos en casa y leímos el periódico.",
    "zh-Hans": "今天早上天气很冷。我们留在家里看报纸。",
    "zh-Hant": "今天早上天氣很冷。我們留在家裡看報紙。",
    "ar": "كان الطقس باردا هذا الصباح، لذلك بقينا في البيت وقرأنا الجريدة.",
    "hi": "आज सुबह बहुत ठंड थी, इसलिए हम घर पर रहे और अखबार पढ़ा।",
    "sw": "Asubuhi ya leo kulikuwa na baridi kali, kwa hiyo tulikaa nyumbani tukasoma gazeti.",
    "yo": "Òtútù mú gan-an ní òwúrọ̀ yìí, nítorí náà a dúró sílé a sì ka ìwé ìròyìn.",
}


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier()


def documents(*words: int) -> list[Document]:
    return [Document(f"d{k}", invented("en", count, k)) for k, count in enumerate(words)]


def continuation(*ids: int, text: str = "") -> Continuation:
    return Continuation(np.array(ids, dtype=np.int64), text)


def argmax_loop(model: Any, ids: np.ndarray, count: int, end: int) -> list[int]:
    written: list[int] = []
    with torch.no_grad():
        while len(written) < count:
            whole = torch.tensor([[*ids.tolist(), *written]])
            token = int(model(whole, use_cache=False).logits[0, -1].argmax())
            if token == end:
                break
            written.append(token)
    return written


@pytest.mark.parametrize("architecture", ["bloom", "gpt2", "llama", "qwen2", "gemma3"])
def test_greedy_is_a_loop_of_argmax(architecture: str, tokenizer: Tokenizer) -> None:
    """Whatever the checkpoint's own configuration of generation says; it is put back, and so is every module."""
    model: Any = random_model(architecture, seed=3)
    own = GenerationConfig(
        do_sample=True, temperature=0.7, repetition_penalty=1.5, no_repeat_ngram_size=2, max_length=9
    )
    model.generation_config = own
    drawn = prompts(documents(30, 40, 50), tokenizer, 3, length=10, new_tokens=12)
    shorter = [Prompt("s", prompt.ids[:6], prompt.reference) for prompt in drawn]
    mixed = [drawn[0], *shorter, *drawn[1:]]
    for batch_tokens in (1, 50, 4096):
        found = write(BlockwiseModel.of(model, tokenizer), mixed, 12, batch_tokens)
        expected = [argmax_loop(model, prompt.ids, 12, tokenizer.separator) for prompt in mixed]
        assert [one.ids.tolist() for one in found] == expected
    assert model.generation_config is own
    assert not any("forward" in vars(module) for module in model.modules())


def test_the_end_of_a_document_ends_the_continuation(tokenizer: Tokenizer) -> None:
    model: Any = random_model("bloom")
    drawn = prompts(documents(30), tokenizer, 1, length=8)
    free = write(BlockwiseModel.of(model, tokenizer), drawn, 8)[0].ids.tolist()
    model.generation_config = GenerationConfig(eos_token_id=[free[3], 399])
    assert write(BlockwiseModel.of(model, tokenizer), drawn, 8)[0].ids.tolist() == free[: free.index(free[3])]


def test_what_does_not_fit_the_context_is_refused(tokenizer: Tokenizer) -> None:
    drawn = prompts(documents(60), tokenizer, 1, length=20)
    with pytest.raises(MbsError, match="21 tokens and 108 new ones, and the context is 128 tokens"):
        write(BlockwiseModel.of(random_model("gpt2"), tokenizer), drawn, 108)


def test_prompts_are_starts_of_documents(tokenizer: Tokenizer, bos_tokenizer: Tokenizer) -> None:
    texts = documents(12, 60, 2, 80)
    drawn = prompts(texts, tokenizer, 2, length=10, new_tokens=30)
    assert [prompt.document for prompt in drawn] == ["d1", "d3"]
    ids = tokenizer.encode([texts[1].text])[0]
    assert drawn[0].ids.tolist() == [tokenizer.separator, *ids[:10]]
    assert drawn[0].reference.tolist() == ids[10:40].tolist()
    assert references(drawn, tokenizer)[0].text == tokenizer.hf.decode(ids[10:40])
    filled = prompts(texts, tokenizer, 9, length=10, new_tokens=30)
    assert [prompt.document for prompt in filled] == ["d1", "d3", "d0"]
    assert prompts(texts, bos_tokenizer, 1, length=10)[0].ids[0] == bos_tokenizer.start == 1
    with pytest.raises(MbsError, match="the longest of 4 documents has"):
        prompts(texts, tokenizer, 2, length=1000)


def test_broken_characters_are_replaced(tokenizer: Tokenizer) -> None:
    whole = np.array([tokenizer.hf.convert_tokens_to_ids(name) for name in ("æ", "°", "a", "æ")])  # bytes E6 B0 61 E6
    (found,) = references([Prompt("d", whole, whole)], tokenizer)
    assert found.text == "\ufffda\ufffd"


def test_repetition_by_hand() -> None:
    assert repetition(np.array([1, 2, 3])) is None
    assert repetition(np.arange(10)) == 0
    assert repetition(np.array([1, 2, 3, 4, 5, 1, 2, 3, 4])) == pytest.approx(1 - 5 / 6)  # 1234 twice
    assert repetition(np.array([7] * 11)) == pytest.approx(1 - 1 / 8)


def test_clear_sentences_are_in_their_language(identifier: Identifier) -> None:
    for language, sentence in CLEAR.items():
        assert identifier.language(sentence) == identifier.known(language), language
    assert identifier.known("zh-Hant") == identifier.known("zh-Hans") == "zh"
    assert identifier.known("ki") == "kik"
    assert identifier.known("fon") is None
    for nothing in ("", " \n", "12 345, 67", "!!!", "\ufffd\ufffd"):
        assert identifier.language(nothing) is None


def test_every_language_of_the_paper_is_known(identifier: Identifier) -> None:
    from mbs.data.languages import PAPER_LANGUAGES

    assert all(identifier.known(code) for code in PAPER_LANGUAGES)


def test_judging_by_hand(identifier: Identifier) -> None:
    texts = [CLEAR["sw"], CLEAR["sw"], CLEAR["en"], "12 34"]
    written = [continuation(1, 1, 1, 1, 1, text=text) for text in texts]
    found = judge("sw", [*written, continuation(1, 2, text=CLEAR["sw"])], identifier)
    assert found.continuations == 5
    assert found.wrong_language == pytest.approx(1 / 5)
    assert found.undetermined == pytest.approx(1 / 5)
    assert found.repetition == pytest.approx(1 / 2)
    unknown = judge("fon", written, identifier)
    assert (unknown.wrong_language, unknown.undetermined) == (None, None)
    assert unknown.reason == "the language identifier does not know fon"
    assert unknown.repetition == pytest.approx(1 / 2)
    assert judge("sw", [], identifier).reason == "no continuations"


def test_without_the_package_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(MbsError, match="expected the package py3langid; try pip install py3langid"):
        Identifier()
