"""Print what a language's generated text is worth as material for measuring harm to a language model."""

import argparse
import re
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import cache

import numpy as np
from ngrams import perplexity
from world.corpus import documents
from world.inference import items
from world.lexicon import Lexicon, languages, load, spelled

SCRIPTS = {"zh-Hans": "CJK", "ar": "ARABIC", "hi": "DEVANAGARI", "ru": "CYRILLIC", "bg": "CYRILLIC", "el": "GREEK",
           "th": "THAI", "bn": "BENGALI"}  # fmt: skip
SENTENCE_END = re.compile(r"(?<=[.!?。！？।؟])\s*|\n")


UNSPACED = ("zh-Hans", "vi")  # a space stands between no words, or between syllables


@cache
def stored(language: str) -> re.Pattern[str]:
    """The longest string of the lexicon at a place, else a word or mark."""
    entries = {w.lower() for e in load(language).entries.values() for w in spelled(e) if re.fullmatch(r"[\w ]+", w)}
    longest = "|".join(map(re.escape, sorted(entries, key=lambda w: (-len(w), w))))
    return re.compile(rf"(?:{longest})(?!\w)|\w+|[^\w\s]" if language == "vi" else rf"{longest}|[^\s]")


def words(text: str, language: str) -> list[str]:
    """Words and marks; where spaces do not part words, the longest strings that the lexicon stores."""
    if language in UNSPACED:
        return stored(language).findall(text.lower())
    return re.findall(r"[\w’'\u0900-\u0dff\u064b-\u0652-]+|[^\w\s]", text.lower())


def zlib_per_character(text: str) -> float | None:
    """The ratio with one byte per character, where there are few enough characters; UTF-8 takes up to three."""
    alphabet = {c: n for n, c in enumerate(sorted(set(text)))}
    if len(alphabet) > 256:
        return None
    plain = bytes(alphabet[c] for c in text)
    return round(len(plain) / len(zlib.compress(plain, 9)), 2)


def sentences(texts: Iterable[str]) -> list[str]:
    """Sentences, a dialogue's speaker and quotation marks taken off."""
    return [
        s.strip(' “”«»「」"')
        for text in texts
        for s in SENTENCE_END.split(text)
        if s and len(s.strip(' “”«»「」"')) > 1
    ]


def masked(sentence: str, lexicon: Lexicon) -> str:
    """The sentence with names and numbers made equal."""
    if lexicon.language == "zh-Hans":
        names = "|".join(sorted(map(re.escape, lexicon.proper_names() + lexicon.numbers()), key=len, reverse=True))
        return re.sub(names, "#", sentence)
    known = {w.lower() for w in lexicon.proper_names() + lexicon.numbers()}
    return " ".join("#" if w in known else w for w in words(sentence, lexicon.language))


def guess(language: str, train: int, test: int) -> float:
    """Accuracy of naive Bayes that sees only the hypothesis's words."""
    counts: list[Counter] = [Counter(), Counter(), Counter()]
    for item in items(language, 0, train):
        counts[item.label].update(set(words(item.hypothesis, language)))
    right = 0
    for item in items(language, 1, test):
        bag = set(words(item.hypothesis, language))
        scores = [sum(np.log((c[w] + 1) / (train / 3 + 2)) for w in bag) for c in counts]
        right += int(np.argmax(scores)) == item.label
    return right / test


def script_share(text: str, language: str) -> float:
    """Share of letters in the language's script."""
    wanted = SCRIPTS.get(language, "LATIN")
    letters = Counter(c for c in text if c.isalpha())
    return sum(n for c, n in letters.items() if unicodedata.name(c, "").startswith(wanted)) / sum(letters.values())


def measure(language: str, size: int, pairs: int) -> None:
    """All figures of one language on one line each."""
    lexicon, start = load(language), time.perf_counter()
    train = [t for _, _, t in documents(language, 0, "train", size=size)]
    seconds = time.perf_counter() - start
    test = [t for _, _, t in documents(language, 0, "test", size=size // 5)]
    text, one, two = "\n\n".join(train), sentences(train), sentences(test)
    shapes = Counter(masked(s, lexicon) for s in one)
    lengths = sorted(len(words(t, language)) for t in train)
    figures = {
        "documents": len(train),
        "tokens per document (5%, median, 95%)": [lengths[len(lengths) * k // 100] for k in (5, 50, 95)],
        "seconds to generate": round(seconds, 1),
        "word forms": len({w for w in words(text, language) if w[0].isalpha()}),
        "held-out trigram perplexity": round(
            perplexity([words(s, language) for s in one], [words(s, language) for s in two]), 1
        ),
        "zlib ratio": round(len(text.encode()) / len(zlib.compress(text.encode(), 9)), 2),
        "zlib ratio, one byte per character": zlib_per_character(text),
        "sentences": len(one),
        "repeat rate, names and numbers masked": round(1 - len(shapes) / len(one), 4),
        "train/held-out shared sentences": len(set(one) & set(two)),
        "train/held-out shared masked sentences": len(set(shapes) & {masked(s, lexicon) for s in two}),
        "hypothesis-only accuracy": round(guess(language, pairs, pairs // 2), 4),
        "letters in script": round(script_share(text, language), 4),
    }
    for name, value in figures.items():
        print(f"{language}\t{name}\t{value}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", help="default: all that exist")
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=6000)
    arguments = parser.parse_args()
    for code in arguments.languages or languages():
        measure(code, arguments.bytes, arguments.pairs)
