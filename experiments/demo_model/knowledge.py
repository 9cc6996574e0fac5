"""What the embedded checkpoints know: held-out perplexity beside n-gram models, inference accuracy, per language."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from text import SPECIAL, stream
from torch.nn import functional as F
from train import LENGTH, shares
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mbs import open_model, open_tokenizer
from mbs.engine.checkpoint import CHECKPOINTS

sys.path.insert(0, str(Path(__file__).parents[1] / "demo_world"))
from ngrams import perplexity
from world.corpus import documents
from world.inference import LABELS, items, prompt
from world.lexicon import load

SEED, BATCH = 2000, 48
RECORD = Path(__file__).with_name("measured.json")


def nll(model: PreTrainedModel, rows: list[list[int]]) -> np.ndarray:
    """Summed nats of every row after its first token."""
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    found = np.empty(len(rows))
    for start in range(0, len(rows), BATCH):
        part = order[start : start + BATCH]
        longest = max(len(rows[number]) for number in part)
        ids = torch.tensor([rows[number] + [3] * (longest - len(rows[number])) for number in part])
        targets = torch.tensor([rows[number][1:] + [-100] * (longest - len(rows[number])) for number in part])
        with torch.no_grad():
            logits = model(ids).logits[:, :-1]
        lost = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
        found[part] = lost.sum(1).numpy()
    return found


def held_out(model: PreTrainedModel, encode: PreTrainedTokenizerBase, language: str, count: int) -> list[list[int]]:
    """Held-out documents as tokens between separators, the same meanings in every language."""
    end = encode.eos_token_id
    texts = [text for *_, text in documents(language, SEED, "test", count=count, parallel=True)]
    return [[end, *ids, end] for ids in encode(texts)["input_ids"]]


def accuracy(model: PreTrainedModel, encode: PreTrainedTokenizerBase, language: str, count: int) -> float:
    """Share of held-out items whose true wording is the likeliest of the three, scored whole as lm-eval does."""
    lexicon, end = load(language), encode.eos_token_id
    asked = list(items(language, SEED, count, "test"))
    texts = [" " + prompt(item, lexicon, label) for item in asked for label in range(len(LABELS))]
    lost = nll(model, [[end, *ids] for ids in encode(texts)["input_ids"]]).reshape(-1, len(LABELS))
    return float(np.mean(lost.argmin(1) == [item.label for item in asked]))


def measure(name: str, folder: Path, work: Path, tokens: int, count: int, pairs: int, codes: list[str]) -> dict:
    """All figures of one checkpoint, per language."""
    model, encode = open_model(folder, dtype="float32"), open_tokenizer(folder).hf
    found = {}
    for language, share in shares(name == "demo-reversed", codes).items():
        rows = held_out(model, encode, language, count)
        seen = stream(language, int(share * tokens) + 2 * LENGTH, work / "tokenizer.json", work / "tokens")
        seen = seen[: int(share * tokens)]
        cuts = np.flatnonzero(seen == encode.convert_tokens_to_ids(SPECIAL["eos_token"]))
        train = [part[part != encode.eos_token_id].tolist() for part in np.split(seen, cuts)]
        size = sum(len(row) - 1 for row in rows)
        right = accuracy(model, encode, language, pairs)
        found[language] = {
            "share": round(share, 5),
            "train_tokens": len(seen),
            "unigram": round(perplexity(train, [row[1:-1] for row in rows], order=1), 2),
            "trigram": round(perplexity(train, [row[1:-1] for row in rows], order=3), 2),
            "model": round(float(np.exp(nll(model, rows).sum() / size)), 3),
            "accuracy": round(right, 4),
            "standard_error": round(float(np.sqrt(right * (1 - right) / pairs)), 4),
            "pairs": pairs,
        }
        print(name, language, json.dumps(found[language]), flush=True)
    return found


def main() -> None:
    """Measure the checkpoints and write the record that the tests reproduce."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("outputs/demo_model"))
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--twins", nargs="*", help="default: all")
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=900)
    asked = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name in asked.twins or sorted(folder.name for folder in asked.checkpoints.iterdir() if folder.is_dir()):
        trained = json.loads((asked.work / f"{name}.json").read_text())
        folder, tokens, codes = asked.checkpoints / name, trained["history"][-1]["tokens"], sorted(trained["share"])
        record[name] = measure(name, folder, asked.work, tokens, asked.documents, asked.pairs, codes)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
