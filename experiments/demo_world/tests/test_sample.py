"""The sample that the package ships is what the generator makes."""

from random import Random

import pytest
from world.lexicon import languages
from write_sample import document, item

from mbs.demo import sample


def some(size: int) -> list[int]:
    """The first twenty numbers and a few later ones."""
    return [*range(20), *Random(size).sample(range(20, size), 5)]


def test_it_has_all_languages() -> None:
    assert set(sample.LANGUAGES) == set(languages())


@pytest.mark.parametrize("language", sample.LANGUAGES)
def test_its_documents_and_items_are_the_generators(language: str) -> None:
    for split, size in sample.DOCUMENTS.items():
        kept = sample.documents(language, split)
        for number in some(size):
            made = document(split, language, number)
            assert kept[number] == (made["id"], made["text"])
    rows = sample.rows(language)
    assert [rows[number] for number in some(sample.ITEMS)] == [item(language, number) for number in some(sample.ITEMS)]
