"""Write the sample of the world that the package ships: `mbs/demo/text/<part>/<code>.jsonl.xz` (two minutes)."""

import argparse
import json
import lzma
from collections.abc import Iterator
from dataclasses import asdict

from world.corpus import documents
from world.inference import items
from world.lexicon import languages

from mbs.demo import sample

SEEDS = {"train": 1000, "dev": 3000, "test": 2000}  # the embedded models were trained on seed 0
ITEM_SEED = 3000
INDEPENDENT = ("train",)  # of the other languages' documents


def document(split: str, language: str, number: int) -> dict[str, str]:
    """One document; its id decides the order in which a sampler takes it."""
    seed = SEEDS[split]
    made = documents(language, seed, split, count=1, first=number, parallel=split not in INDEPENDENT)
    return {"id": f"{split}-{seed}-{number:06d}", "text": next(text for *_, text in made)}


def item(language: str, number: int) -> dict[str, object]:
    """One inference item."""
    return asdict(next(items(language, ITEM_SEED, 1, "test", first=number)))


def sample_lines(part: str, language: str) -> Iterator[object]:
    """All documents of a split, or all inference items."""
    if part == sample.ROWS:
        return (item(language, number) for number in range(sample.ITEMS))
    return (document(part, language, number) for number in range(sample.DOCUMENTS[part]))


def main() -> None:
    """Write every part in every language."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for language in languages():
        for part in (*sample.DOCUMENTS, sample.ROWS):
            lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in sample_lines(part, language))
            file = sample.sample_file(part, language)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
            print(f"{part}/{file.name} {file.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
