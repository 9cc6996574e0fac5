"""The generated world: reproducible, clean in every language, split honestly, labels unguessable from form."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from measure import guess, script_share, sentences
from ngrams import perplexity
from world import lexicon as lexicon_module
from world.concepts import concepts, verbs_needing
from world.corpus import documents
from world.inference import items, prompt
from world.lexicon import languages, load
from world.planner import GENRES

ROOT = Path(__file__).parents[1]
LANGUAGES = languages()
JUNK = re.compile(r"[{}_]|None|\[|  |\bn\.[a-z]|\bv\.[a-z]|\ba\.[a-z]{3}|\bp\.[a-z]| [,.?!]|\.\.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_seed_gives_same_text_in_another_process(language: str) -> None:
    code = f"from world.corpus import documents; print(list(documents({language!r}, 3, count=10)), end='')"
    out = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        ).stdout.decode()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert out[0] == out[1] == str(list(documents(language, 3, count=10)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_holds_no_placeholder_and_is_in_its_script(language: str) -> None:
    texts = [text for _, _, text in documents(language, 5, count=300)]
    texts += [f"{item.premise}\n{item.hypothesis}" for item in items(language, 5, 300)]
    for text in texts:
        assert text.strip() == text
        assert "\n\n" not in text
        assert not JUNK.search(text), JUNK.search(text)
    assert script_share("".join(texts), language) >= 0.98


@pytest.mark.parametrize("language", LANGUAGES)
def test_train_and_held_out_share_no_sentence(language: str) -> None:
    train, test = (
        set(sentences(t for _, _, t in documents(language, 1, split, count=400))) for split in ("train", "test")
    )
    assert len(test) > 1000
    assert not train & test


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_are_balanced_and_unguessable_from_the_hypothesis(language: str) -> None:
    labels = Counter(item.label for item in items(language, 2, 300))
    assert labels == {0: 100, 1: 100, 2: 100}
    # 900 test items: two standard errors above the 3 points allowed of the true accuracy.
    assert abs(guess(language, 1800, 900) - 1 / 3) < 0.06


@pytest.mark.parametrize("language", LANGUAGES)
def test_inference_prompt_has_the_answer_word(language: str) -> None:
    lexicon = load(language)
    for item in items(language, 4, 30, "test"):
        assert item.premise != item.hypothesis
        assert lexicon["i.right"] in prompt(item, lexicon)


def test_genres_take_turns_and_documents_end_at_the_wanted_size() -> None:
    found = list(documents("en", 0, size=20_000))
    assert [genre for _, genre, _ in found[:5]] == list(GENRES)
    assert 20_000 <= sum(len(text.encode()) + 1 for *_, text in found) < 23_000


def test_parallel_documents_do_not_depend_on_the_language_but_independent_ones_do() -> None:
    one = list(documents("en", 0, count=5, parallel=True))
    two = list(documents("en", 0, count=5))
    assert [i for i, *_ in one] == [i for i, *_ in two]
    assert one != two


def test_missing_concept_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xx.json").write_text('{"language": "xx", "joiner": " ", "concepts": {}}')
    monkeypatch.setattr(lexicon_module, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"n\.goat"):
        load("xx")


def test_event_graph_joins_states_to_events() -> None:
    assert "v.repair" in dict(verbs_needing("broken"))
    assert "v.eat" in dict(verbs_needing("hungry"))
    for concept in concepts().values():
        assert not concept.opposite or concepts()[concept.opposite].opposite == concept.id


def test_ngram_perplexity_is_the_closed_form_of_witten_bell() -> None:
    # One line "a": two kinds in two tokens, so p(a) = p(end) = (1 + 2/3) / 4.
    assert perplexity([["a"]], [["a"]], order=1) == pytest.approx(4 / (1 + 2 / 3))
