"""What a tokenizer makes of a language: how many tokens a word costs, and how often a character is cut in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mbs.data.languages import LANGUAGES, Language
from mbs.engine.tokenizer import Array, Tokenizer
from mbs.errors import MbsError

WITHOUT_SPACES = frozenset({"Hani", "Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"})
SPACES = np.array([code for code in range(0x3001) if chr(code).isspace()])


@dataclass(frozen=True)
class Tokenization:
    """Counts over a language's documents, and their ratios.

    `unit` is what fertility counts by: `word`, or `character` in scripts written without spaces. A word is what stands
    between white space, with its punctuation; white space is no character. `fertility` is tokens per unit, all tokens
    counted. `split` is the share of units that two or more tokens share (Rust et al., 2021: continued words).
    `byte_fallback` is the share of tokens that are not valid UTF-8 on their own. `premium` is the tokens that
    the text takes over those of its counterpart in the reference language (Petrov et al., 2023), None where the text
    is not parallel.
    """

    unit: str
    units: int
    tokens: int
    fertility: float
    split: float
    bytes_per_token: float
    characters_per_token: float
    byte_fallback: float
    premium: float | None = None


def tokenizations(
    texts: Mapping[str, Sequence[str]],
    tokenizer: Tokenizer,
    parallel: bool = False,
    reference: str = "en",
    table: Mapping[str, Language] = LANGUAGES,
) -> dict[str, Tokenization]:
    """Every language's tokenization; the texts are documents, with the same content in all languages if `parallel`.

    Raises MbsError for a language without a word, and for parallel texts that differ in number.
    """
    made = {code: tokenization(documents, tokenizer, table[code].script, code) for code, documents in texts.items()}
    if not parallel or reference not in texts:
        return made
    for code, documents in texts.items():
        if len(documents) != len(texts[reference]):
            found = f"{len(documents)} documents in {code} and {len(texts[reference])} in {reference}"
            raise MbsError(found, "as many in every language, since the text is called parallel")
    return {code: replace(one, premium=one.tokens / made[reference].tokens) for code, one in made.items()}


def tokenization(texts: Sequence[str], tokenizer: Tokenizer, script: str, language: str = "the text") -> Tokenization:
    """What the tokenizer makes of documents in one script (an ISO 15924 code); raises MbsError when they are empty."""
    unit = "character" if script in WITHOUT_SPACES else "word"
    units = tokens = split = size = characters = broken = 0
    for text, encoded in zip(texts, tokenizer.measure(texts) if texts else [], strict=True):
        first, last = _spans(text, unit)
        ends = np.cumsum(encoded.bytes)
        units += len(first)
        split += int((np.searchsorted(ends, last, "right") > np.searchsorted(ends, first, "right")).sum())
        tokens += len(encoded.ids)
        size += int(encoded.bytes.sum())
        characters += len(text)
        broken += int(tokenizer.broken[encoded.ids].sum())
    if not units or not tokens:
        raise MbsError(f"no {unit} in {language}", "text")
    return Tokenization(
        unit=unit,
        units=units,
        tokens=tokens,
        fertility=tokens / units,
        split=split / units,
        bytes_per_token=size / tokens,
        characters_per_token=characters / tokens,
        byte_fallback=broken / tokens,
    )


def _spans(text: str, unit: str) -> tuple[Array, Array]:
    """The first and the last byte of every unit of a text, in UTF-8."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    width = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    end = np.cumsum(width)
    inside = ~np.isin(codes, SPACES)
    starts, stops = (inside, inside) if unit == "character" else _edges(inside)
    return (end - width)[starts], end[stops] - 1


def _edges(inside: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where a run of true values begins, and where it ends."""
    padded = np.concatenate([[False], inside, [False]])
    return inside & ~padded[:-2], inside & ~padded[2:]
