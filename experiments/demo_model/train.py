"""Train the two embedded checkpoints, causal twins: same text, same seeds, the languages' shares reversed in one."""

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from text import SPECIAL, VOCABULARY, stream, train_tokenizer
from torch.nn import functional as F
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

from mbs.data.languages import LANGUAGES
from mbs.storage.digests import digest, digest_files

sys.path.insert(0, str(Path(__file__).parents[1] / "demo_world"))
import world
from world.corpus import documents
from world.lexicon import languages

SMOOTHING = 0.4  # shares are ROOTS bytes to this power
WIDTH, BLOCKS, HEADS = 192, 4, 4
ROWS, LENGTH = 16, 256
RATE, LEAST, WARMUP, DECAY = 3e-3, 0.05, 100, 0.1
CHECK_EVERY, CHECK_DOCUMENTS = 200, 8


def shares(reverse: bool, codes: list[str]) -> dict[str, float]:
    """Smoothed ROOTS shares of the languages, or the same values given to them in reverse order."""
    size = {code: LANGUAGES[code].roots_bytes or 0 for code in codes}
    order = sorted(size, key=lambda code: -size[code])
    smooth = [size[code] ** SMOOTHING for code in order]
    return {code: value / sum(smooth) for code, value in zip(order[::-1] if reverse else order, smooth, strict=True)}


def batches(
    streams: dict[str, np.ndarray], share: dict[str, float], steps: int
) -> Iterator[tuple[list[str], torch.Tensor]]:
    """Rows whose languages follow the shares as closely as whole rows allow; every language is read once, in order."""
    given, place = dict.fromkeys(share, 0), dict.fromkeys(share, 0)
    rows = 0
    for _ in range(steps):
        names, ids = [], []
        for _ in range(ROWS):
            rows += 1
            code = max(share, key=lambda c: share[c] * rows - given[c])
            given[code] += 1
            start = place[code]
            place[code] = start + LENGTH
            names.append(code)
            ids.append(streams[code][start : start + LENGTH + 1].astype(np.int64))
        yield names, torch.from_numpy(np.stack(ids))


def rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to a twentieth of the peak."""
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    along = (step - WARMUP) / max(1, steps - WARMUP)
    return RATE * (LEAST + (1 - LEAST) * (1 + math.cos(math.pi * along)) / 2)


def check(
    model: BloomForCausalLM, tokenizer: PreTrainedTokenizerFast, codes: list[str], device: str
) -> dict[str, float]:
    """Held-out nats per token of each language."""
    found = {}
    for code in codes:
        total, count = 0.0, 0
        for *_, text in documents(code, 1, "dev", count=CHECK_DOCUMENTS):
            ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]], device=device)
            with torch.no_grad():
                logits = model(ids).logits[0, :-1]
            total += float(F.cross_entropy(logits.float(), ids[0, 1:], reduction="sum"))
            count += ids.shape[1] - 1
        found[code] = total / count
    return found


def train(name: str, share: dict[str, float], work: Path, target: Path, tokens: int, device: str) -> None:
    """One checkpoint in `target`/`name` with its training record."""
    torch.manual_seed(0)
    steps = tokens // (ROWS * LENGTH)
    tokenizer_file = work / "tokenizer.json"
    streams = {
        code: stream(code, int(part * tokens) + 2 * LENGTH, tokenizer_file, work / "tokens")
        for code, part in share.items()
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), **SPECIAL)
    config = BloomConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=BLOCKS, n_head=HEADS, hidden_dropout=0.0,
        attention_dropout=0.0, bos_token_id=1, eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    model = BloomForCausalLM(config)
    torch.nn.Module.to(model, device)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=True)
    history, begun = [], time.perf_counter()
    for step, (_, ids) in enumerate(batches(streams, share, steps)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        ids = ids.to(device)
        logits = model(ids[:, :-1]).logits
        loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % CHECK_EVERY == CHECK_EVERY - 1 or step == steps - 1:
            seconds = time.perf_counter() - begun
            scores = check(model, tokenizer, list(share), device)
            history.append(
                {"step": step + 1, "tokens": (step + 1) * ROWS * LENGTH, "seconds": round(seconds), "nll": scores}
            )
            line = " ".join(f"{code} {score:.3f}" for code, score in scores.items())
            print(f"{name} step {step + 1}/{steps} {seconds:.0f} s loss {loss.item():.3f} | {line}", flush=True)
    folder = target / name
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(card(name, share, steps * ROWS * LENGTH))
    (work / f"{name}.json").write_text(json.dumps({"share": share, "history": history}, indent=1))


def card(name: str, share: dict[str, float], tokens: int) -> str:
    """The model card: what it is, what it is not, its shares."""
    rows = "\n".join(f"| {code} | {100 * part:.2f} % |" for code, part in share.items())
    return f"""---
license: apache-2.0
language: [{", ".join(share)}]
---
# {name}

A BLOOM of {BLOCKS} blocks of width {WIDTH}, trained on {tokens:,} tokens of generated text (`experiments/demo_world`)
by `experiments/demo_model/train.py`. It is there to try `mbs` with. It has seen no real text and says nothing about the
real languages. Weights are stored in float16.

| language | share of the training tokens |
|---|---|
{rows}
"""


def forget_other_text(work: Path, codes: list[str]) -> None:
    """Throw away the tokenizer and tokens that another state of the generator, or other languages, gave."""
    folder = Path(world.__file__).parent
    files = [file for file in folder.rglob("*") if file.suffix in (".py", ".json", ".tsv")]
    mark, stamp = digest([digest_files(files), codes]), work / "source.txt"
    if not stamp.exists() or stamp.read_text() != mark:
        shutil.rmtree(work / "tokens", ignore_errors=True)
        (work / "tokenizer.json").unlink(missing_ok=True)
        stamp.write_text(mark)


def main() -> None:
    """Train what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twins", nargs="*", default=["demo", "demo-reversed"])
    parser.add_argument("--work", type=Path, default=Path("outputs/demo_model"))
    parser.add_argument("--target", type=Path, default=Path("mbs/demo/checkpoints"))
    parser.add_argument("--tokens", type=int, default=4_000_000)
    parser.add_argument("--languages", nargs="*", default=languages())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    forget_other_text(asked.work, asked.languages)
    if not (asked.work / "tokenizer.json").exists():
        train_tokenizer(asked.languages).save(str(asked.work / "tokenizer.json"))
    for name in asked.twins:
        train(
            name, shares(name == "demo-reversed", asked.languages), asked.work, asked.target, asked.tokens, asked.device
        )


if __name__ == "__main__":
    main()
