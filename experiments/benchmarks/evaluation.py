"""Perplexity of a model with 250,880 tokens at windows of 2048: seconds and memory, beside lm-eval's rolling one.

`python experiments/benchmarks/evaluation.py` prints the table and writes `evaluation.json` beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from engine import THREADS, machine, peak_above
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from transformers import AutoModelForCausalLM, BloomConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from mbs import BlockwiseModel
from mbs.data.corpora.base import Document
from mbs.engine.matmul import measured
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.perplexity import measure_text
from mbs.evaluation.windows import LanguageText, by_document

HERE = Path(__file__).parent
VOCABULARY, HIDDEN, HEADS, LENGTH, DOCUMENTS, WINDOWS = 250_880, 1024, 16, 2048, 2, 2


def model_of(blocks: int) -> PreTrainedModel:
    """BLOOM-560m's shape (with 24 blocks), random float32 weights."""
    torch.manual_seed(0)
    config = BloomConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, n_layer=blocks, n_head=HEADS)
    model = AutoModelForCausalLM.from_config(config).eval()
    assert isinstance(model, PreTrainedModel)
    return model


def words() -> PreTrainedTokenizerFast:
    """A tokenizer of 250,880 words."""
    names = ["<unk>", "<s>", "</s>", "<pad>", *(f"w{number}" for number in range(4, VOCABULARY))]
    backend = Backend(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="<s>", pad_token="<pad>")


def texts() -> list[str]:
    """Documents of two windows each, but for the token that each starts from."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, VOCABULARY, (DOCUMENTS, WINDOWS * (LENGTH - 1)), generator=generator)
    return [" ".join(f"w{token}" for token in row.tolist()) for row in ids]


def ours(model: PreTrainedModel, memory: dict[str, float]) -> tuple[float, float]:
    """Seconds and NLL of the text by `measure_text`."""
    blockwise = BlockwiseModel.of(model, numerics=measured())
    documents = [Document(str(number), text) for number, text in enumerate(texts())]
    text: LanguageText = by_document("en", documents, Tokenizer(words()), LENGTH)
    with peak_above(memory):
        began = time.perf_counter()
        nll = measure_text(blockwise, text).nll
        return time.perf_counter() - began, float(nll.sum())


def theirs(model: PreTrainedModel, memory: dict[str, float]) -> tuple[float, float]:
    """Seconds and NLL of the text by lm-eval's rolling log-likelihood, one window at a time."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=model, tokenizer=words(), batch_size=1, max_length=LENGTH - 1)
    requests = [Instance("loglikelihood_rolling", {}, (text,), number) for number, text in enumerate(texts())]
    with peak_above(memory):
        began = time.perf_counter()
        found = harness.loglikelihood_rolling(requests, disable_tqdm=True)
        return time.perf_counter() - began, -sum(found)


def main() -> None:
    """Each way in a process of its own, in turn; the table and `evaluation.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=24, help="24 as in BLOOM-560m; 2 shows the head alone")
    parser.add_argument("--way", choices=("ours", "lm-eval"), help="measure this one and print it")
    arguments = parser.parse_args()
    if arguments.way:
        torch.set_num_threads(THREADS)
        logging.set_verbosity_error()
        memory: dict[str, float] = {}
        seconds, nll = (ours if arguments.way == "ours" else theirs)(model_of(arguments.blocks), memory)
        print(json.dumps({"seconds": seconds, "nll": nll, **memory}))
        return
    cells: dict[str, list[dict[str, float]]] = {"ours": [], "lm-eval": []}
    for _ in range(arguments.repeats):
        for way, found in cells.items():
            command = [sys.executable, __file__, "--way", way, "--blocks", str(arguments.blocks)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{way:8} {found[-1]['seconds']:7.2f} s  {found[-1]['peak_gb']:5.2f} GB", flush=True)
    middle = {way: statistics.median(cell["seconds"] for cell in found) for way, found in cells.items()}
    nll = {way: found[0]["nll"] for way, found in cells.items()}
    ratio = middle["lm-eval"] / middle["ours"]
    print(f"ours is {ratio:.2f} times as fast; NLL differs by {abs(nll['ours'] / nll['lm-eval'] - 1):.1e} relative")
    figures: dict[str, Any] = {"machine": machine(), "blocks": arguments.blocks, "cells": cells, "ratio": ratio}
    (HERE / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
