"""Documents of the world in a language, endless, reproducible, parallel or independent between languages."""

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from itertools import count as numbers
from random import Random

from world.lexicon import Lexicon, load
from world.message import Paragraph, Sentence
from world.planner import GENRES, plan


def say(sentence: Sentence, lexicon: Lexicon) -> str:
    """One abstract sentence in the lexicon's language."""
    grammar = import_module("world.grammar." + lexicon.language.replace("-", "_"))
    return str(grammar.say(sentence, lexicon))


def render(paragraphs: list[Paragraph], lexicon: Lexicon) -> str:
    """The text of a planned document, one line per paragraph."""
    return "\n".join(lexicon.joiner.join(say(sentence, lexicon) for sentence in paragraph) for paragraph in paragraphs)


@lru_cache(maxsize=128)  # parallel documents mean the same in every language
def meaning(key: str, number: int, split: str) -> tuple[str, list[Paragraph]]:
    """Genre and planned paragraphs of one document number."""
    return GENRES[number % len(GENRES)], plan(GENRES[number % len(GENRES)], Random(f"{key}/{split}/{number}"), split)


def documents(
    language: str, seed: int, split: str = "train", *, count: int | None = None, size: int | None = None,
    parallel: bool = False, first: int = 0,
) -> Iterator[tuple[str, str, str]]:  # fmt: skip
    """Documents as (id, genre, text) from number `first` on, up to a count or until a size in bytes is reached."""
    lexicon, done = load(language), 0
    key = str(seed) if parallel else f"{seed}/{language}"
    for number in numbers(first) if count is None else range(first, first + count):
        genre, paragraphs = meaning(key, number, split)
        text = render(paragraphs, lexicon)
        done += len(text.encode()) + 1
        yield f"{split}-{number:06d}", genre, text
        if size is not None and done >= size:
            return
