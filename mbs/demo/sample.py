"""The embedded text: a fixed sample of a generated world in nine languages; it says nothing about the real ones.

`experiments/demo_world` holds the generator, and wrote the sample with `write_sample.py`. One compressed file of JSON
lines per language and part: documents (`id`, `text`) of each split, and inference items in XNLI's form (`premise`,
`hypothesis`, `label`).
"""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from mbs.errors import MbsError

LANGUAGES = ("ar", "bn", "en", "es", "fr", "hi", "sw", "vi", "zh-Hans")
# Documents per language. `train` tells combinations of events that the embedded models have seen, `dev` and `test`
# others; there the k-th document means the same in every language.
DOCUMENTS = {"train": 2000, "dev": 40, "test": 200}
ROWS, ITEMS = "xnli", 300  # the part that holds the inference items, and how many; of the same kind as `test`
FOLDER = Path(__file__).with_name("text")


def sample_file(part: str, language: str) -> Path:
    """Where a split, or the inference items, lie in a language."""
    return FOLDER / part / f"{language}.jsonl.xz"


@cache
def documents(language: str, split: str) -> tuple[tuple[str, str], ...]:
    """Ids and texts of a split."""
    return tuple((row["id"], row["text"]) for row in _lines(split, language))


def rows(language: str) -> list[dict[str, Any]]:
    """The inference items."""
    return _lines(ROWS, language)


def _lines(part: str, language: str) -> list[dict[str, Any]]:
    file = sample_file(part, language)
    try:
        text = lzma.decompress(file.read_bytes()).decode()
    except (OSError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MbsError(
            f"the embedded text {file} cannot be read ({reason})",
            "the file that belongs to this version of mbs",
            "installing mbs again",
        ) from error
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]
