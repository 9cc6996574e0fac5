"""Training text of the embedded checkpoints: the generated world and its inference items, tokenized once and kept."""

import os
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

sys.path.insert(0, str(Path(__file__).parents[1] / "demo_world"))
from world.corpus import documents
from world.inference import items, prompt
from world.lexicon import load

SEED = 0
VOCABULARY = 6144
SAMPLE_DOCUMENTS = 600  # of every language, to learn the vocabulary
ITEMS_PER_DOCUMENT = 2
PIECE = 500  # documents per kept file
SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}  # ids 0 to 3
# A run of letters with the space before it, marks apart: the rule of BLOOM's tokenizer (BigScience Workshop, 2022).
SPLIT = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def texts(language: str, first: int, count: int) -> Iterator[str]:
    """Training documents, each followed by inference items in XNLI's prompt form with lm-eval's space before them."""
    lexicon = load(language)
    for number in range(first, first + count):
        yield from (text for *_, text in documents(language, SEED, count=1, first=number))
        for item in items(language, SEED, ITEMS_PER_DOCUMENT, first=number * ITEMS_PER_DOCUMENT):
            yield " " + prompt(item, lexicon)


def train_tokenizer(languages: list[str]) -> Tokenizer:
    """Byte-level BPE on as many documents of every language."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = (text for language in languages for text in texts(language, 0, SAMPLE_DOCUMENTS))
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def stream(language: str, tokens: int, tokenizer: Path, folder: Path) -> np.ndarray:
    """At least so many training tokens of a language, every text ended by `</s>`; the files in `folder` are reused."""
    jobs = [(language, 0, tokenizer, folder)]
    length = len(np.load(_piece(jobs[0])))
    jobs += [(language, number, tokenizer, folder) for number in range(1, 1 + int(1.03 * tokens / length))]
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        files = pool.map(_piece, jobs, chunksize=1)
    return np.concatenate([np.load(file) for file in files])


def _piece(job: tuple[str, int, Path, Path]) -> Path:
    language, number, tokenizer_file, folder = job
    file = folder / f"{language}-{number:04d}.npy"
    if not file.exists():
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        end = tokenizer.token_to_id(SPECIAL["eos_token"])
        encoded = tokenizer.encode_batch_fast(list(texts(language, number * PIECE, PIECE)))
        ids = np.concatenate([np.asarray([*one.ids, end], dtype=np.uint16) for one in encoded])
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as target:
            np.save(target, ids)
        part.replace(file)
    return file
