"""Inference items in XNLI's form whose label is true by construction and cannot be guessed from the hypothesis."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from world.claims import SHAPES
from world.concepts import admits, by_type, concepts
from world.corpus import say
from world.lexicon import Lexicon, load
from world.message import NP
from world.stage import Stage

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True)
class Item:
    """One premise-hypothesis pair; label 0 entailment, 1 neutral, 2 contradiction."""

    premise: str
    hypothesis: str
    label: int


def items(language: str, seed: int, count: int, split: str = "train", first: int = 0) -> Iterator[Item]:
    """Labelled pairs from number `first` on, the three labels in turn, parallel between languages for the same seed."""
    lexicon: Lexicon = load(language)
    for number in range(first, first + count):
        label, rng = number % 3, Random(f"inference/{seed}/{split}/{number}")
        while True:
            names = rng.sample(by_type("name"), 3)
            stage = Stage(rng, split, [NP(p, "name", sex=concepts()[p].sex) for p in names])
            pair = rng.choice(SHAPES)(stage, label)
            # The pair belongs to a split through its hypothesis alone, or the label would leak into it.
            if pair and admits(pair[1], split):
                yield Item(say(pair[0], lexicon), say(pair[1], lexicon), label)
                break


def prompt(item: Item, lexicon: Lexicon, label: int | None = None) -> str:
    """The item as lm-eval words XNLI, with the answer word of a label: the true one unless told otherwise."""
    answer = lexicon[f"i.{LABELS[item.label if label is None else label]}"]
    return f"{item.premise.rstrip('.。।')}, {lexicon['i.right']} {answer}, {item.hypothesis}"
