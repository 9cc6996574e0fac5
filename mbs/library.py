"""The library in a few functions: open a model, draw calibration text, compress, measure. No Hydra, no run, no files.

What they change is the model that is passed to them and nothing else: flags of torch, random states, and the train or
eval mode of the model are afterwards as they were.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mbs.compression.compress import CompressOptions, compress
from mbs.compression.layer_reports import FinishedBlocks, LayerReport
from mbs.compression.method import Pruner
from mbs.compression.sparsity import Sparsity
from mbs.data.corpora.base import Corpus, Document
from mbs.data.sampler import CalibrationSet, sample_segments
from mbs.engine.blocks import Block, Blocks
from mbs.engine.checkpoint import ModelSource, open_model, open_tokenizer
from mbs.engine.devices import resolved_device
from mbs.engine.matmul import PLAIN, Numerics, measured
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.engine.switches import quiet_transformers, random_state_kept
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.perplexity import measure_text
from mbs.evaluation.windows import LanguageText, PerplexityTask, by_document


def open(  # noqa: A001
    source: str | Path | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None = None,
    dtype: str = "auto",
    device: str = "auto",
    numerics: Numerics | None = None,
) -> BlockwiseModel:
    """A causal language model, ready to be compressed and measured: `mbs.open("MODEL")`.

    `source` is a folder as transformers saves it, a hub id, `embedded:demo`, or a model of transformers in memory (with
    its tokenizer, if text is to be read). `dtype` and `device` are as in `model.dtype` and `model.device` of the
    configuration. `numerics` says how the CPU multiplies; None measures it, for half a second. Raises MbsError for what
    cannot be opened, is incomplete, or is no causal language model of decoder blocks.
    """
    with random_state_kept(), quiet_transformers():
        if isinstance(source, PreTrainedModel):
            return BlockwiseModel.of(source, Tokenizer(tokenizer) if tokenizer else None, numerics or PLAIN)
        folder = ModelSource(str(source), dtype, device).folder()
        if numerics is None:
            numerics = measured() if resolved_device(device) == "cpu" else PLAIN
        model = open_model(folder, dtype, device, lambda line: warnings.warn(line, stacklevel=2), numerics)
        own = Tokenizer(tokenizer) if tokenizer else open_tokenizer(folder)
        return BlockwiseModel.of(model, own, numerics, folder)


def sample(
    model: BlockwiseModel, corpus: Corpus, counts: Mapping[str, int], length: int = 2048, seed: int = 0
) -> CalibrationSet:
    """`counts[language]` segments of `length` tokens of each language, the same for a seed whatever the counts."""
    return sample_segments(corpus, counts, model.tokenizer, length, seed)


def perplexity(
    model: BlockwiseModel,
    text: Corpus | LanguageText | Sequence[str] | str,
    language: str | None = None,
    length: int = 2048,
    batch_tokens: int = 4096,
) -> float:
    """`exp(sum NLL / sum tokens)` over documents, each by itself in windows of `length` tokens, none left out.

    `text` is one document, several, a corpus with the `language` to read of it, or text that is cut into windows
    already. Raises MbsError where the text has no token that can be scored.
    """
    scored = text if isinstance(text, LanguageText) else _windows(model.tokenizer, text, language, length)
    if not scored.tokens:
        raise MbsError("the text has no token to score", "text that is not empty")
    return math.exp(float(measure_text(model, scored, batch_tokens).nll.sum()) / scored.tokens)


def _windows(
    tokenizer: Tokenizer, text: Corpus | Sequence[str] | str, language: str | None, length: int
) -> LanguageText:
    if isinstance(text, str | Sequence):
        texts = [text] if isinstance(text, str) else text
        documents = [Document(str(number), content) for number, content in enumerate(texts)]
        return by_document(language or "text", documents, tokenizer, length)
    if language is None:
        raise MbsError(
            "a corpus without a language", f"one of {', '.join(text.languages)}", "perplexity(model, corpus, 'sw')"
        )
    return PerplexityTask(length=length).read(text, language, tokenizer)


def compress_model(
    skeleton: Skeleton,
    blocks: Blocks,
    calibration: CalibrationSet | None,
    pruner: Pruner,
    sparsity: Sparsity,
    batch_tokens: int = 4096,
    progress: Callable[[Block], None] = lambda block: None,
    kept: FinishedBlocks | None = None,
) -> list[LayerReport]:
    """`compress` for skeleton and blocks that were made by hand, as in release 0.1.0."""
    options = CompressOptions(batch_tokens=batch_tokens, progress=progress, finished=kept)
    return compress(BlockwiseModel(skeleton, blocks), calibration, pruner, sparsity, options)


def score_text(skeleton: Skeleton, blocks: Blocks, text: LanguageText, batch_tokens: int = 4096) -> np.ndarray:
    """The NLL in nats of each unit's scored tokens, float64 `[units]`, for skeleton and blocks made by hand."""
    return measure_text(BlockwiseModel(skeleton, blocks), text, batch_tokens).nll
