"""Text to tokens and back to bytes, with special tokens only where the model expects them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from mbs.errors import MbsError

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """Tokens of one text, and the UTF-8 bytes and characters that each token stands for; both sum to the text's."""

    ids: Array
    bytes: Array
    characters: Array


class Tokenizer:
    """A tokenizer of transformers, asked for plain text tokens; special tokens in the text are read as text.

    `start` is the token that the model expects at the start of every sequence (None for BLOOM and GPT-2);
    `separator` stands between documents.
    """

    def __init__(self, hf: PreTrainedTokenizerBase) -> None:
        if not getattr(hf, "is_fast", False):
            raise MbsError(f"the tokenizer is a {type(hf).__name__}", "a fast tokenizer (tokenizer.json)")
        self.hf = hf
        known = [int(token) for token in (hf.eos_token_id, hf.bos_token_id) if token is not None]
        if not known:
            raise MbsError("the tokenizer has neither eos nor bos", "a document separator")
        self.separator = known[0]
        self.start = _first_token(hf)

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """The tokens of each text, without special tokens."""
        batch = self.hf(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)
        return [np.asarray(ids, dtype=np.int64) for ids in batch["input_ids"]]

    def measure(self, texts: Sequence[str]) -> list[Encoded]:
        """The tokens of each text with their bytes and characters.

        A byte-level token states its own bytes; offsets would count a character that is split over tokens several
        times. Where the tokens' own bytes are not the text's (other tokenizers, or one that rewrites the text), the
        bytes between the ends of successive tokens count for the later one, so that the sum is exact all the same.
        """
        batch = self.hf(
            list(texts), add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
        )
        encoded = []
        for text, ids, offsets in zip(texts, batch["input_ids"], batch["offset_mapping"], strict=True):
            tokens = np.asarray(ids, dtype=np.int64)
            own_bytes, own_characters = self._own_lengths[:, tokens]
            if own_bytes.sum() != len(text.encode()):
                own_bytes, own_characters = _between_ends(text, offsets)
            encoded.append(Encoded(tokens, own_bytes, own_characters))
        return encoded

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tokenizer's whole definition, with the tokens that begin and separate texts."""
        definition = [self.hf.backend_tokenizer.to_str(), self.start, self.separator]
        return hashlib.sha256(json.dumps(definition).encode()).hexdigest()

    @cached_property
    def broken(self) -> npt.NDArray[np.bool_]:
        """For every token `[V]` whether its own bytes are not valid UTF-8: a piece of a character, a byte fallback."""
        if self._own_bytes is not None:
            return np.array([_is_broken(own) for own in self._own_bytes])
        names = self.hf.convert_ids_to_tokens(list(range(len(self.hf))))
        fallbacks = (re.fullmatch(r"<0x([0-9A-F]{2})>", name) for name in names)
        return np.array([fallback is not None and int(fallback[1], 16) >= 0x80 for fallback in fallbacks])

    @cached_property
    def _own_bytes(self) -> list[bytes] | None:
        """The bytes of every token `[V]`, or None when the tokenizer is not byte-level."""
        if "ByteLevel" not in json.dumps(json.loads(self.hf.backend_tokenizer.to_str())["decoder"]):
            return None
        alphabet = {character: byte for byte, character in bytes_to_unicode().items()}
        names = self.hf.convert_ids_to_tokens(list(range(len(self.hf))))
        return [bytes(alphabet.get(character, 0) for character in name) for name in names]

    @cached_property
    def _own_lengths(self) -> Array:
        """Bytes and started characters of every token `[2, V]`; zeros when the tokenizer is not byte-level."""
        if self._own_bytes is None:
            return np.zeros((2, len(self.hf)), dtype=np.int64)
        lengths = [(len(own), sum(byte & 0xC0 != 0x80 for byte in own)) for own in self._own_bytes]
        return np.array(lengths, dtype=np.int64).T


def _is_broken(own: bytes) -> bool:
    try:
        own.decode()
    except UnicodeDecodeError:
        return True
    return False


def _first_token(hf: PreTrainedTokenizerBase) -> int | None:
    """What the tokenizer itself puts before a text; what it appends is no matter of the start."""
    plain = hf("a", add_special_tokens=False)["input_ids"]
    full = hf("a", add_special_tokens=True)["input_ids"]
    if len(full) > len(plain) and full[: len(plain)] != plain:
        return int(full[0])
    return None


def _between_ends(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    ends = np.maximum.accumulate(np.asarray([end for _, end in offsets], dtype=np.int64))
    if len(ends):
        ends[-1] = len(text)
    width = np.fromiter((len(character.encode()) for character in text), dtype=np.int64, count=len(text))
    total = np.concatenate([[0], np.cumsum(width)])
    return np.diff(total[ends], prepend=0), np.diff(ends, prepend=0)
