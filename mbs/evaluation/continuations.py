"""What a model writes when it goes on with a text: in which language, and how much it repeats itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel

from mbs.data.corpora.base import Document
from mbs.engine.model import BlockwiseModel
from mbs.engine.switches import evaluating
from mbs.engine.tokenizer import Array, Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.language_id import Identifier

GRAM = 4
PROMPT_TOKENS, NEW_TOKENS = 32, 64


@dataclass(frozen=True)
class Prompt:
    """The start of a document, in tokens: what the model reads, and how the document itself goes on."""

    document: str
    ids: Array
    reference: Array


@dataclass(frozen=True)
class Continuation:
    """What follows a prompt, as tokens and as text; broken characters are U+FFFD."""

    ids: Array
    text: str


@dataclass(frozen=True)
class Writing:
    """The continuations of one language.

    `wrong_language` is the share that the identifier places in another language, `undetermined` the share in which it
    sees none; both are None, with a `reason`, where it does not know the language. `repetition` is the mean of
    `repetition()`, None where every continuation is too short.
    """

    continuations: int
    wrong_language: float | None
    undetermined: float | None
    repetition: float | None
    reason: str | None = None


def prompts(
    documents: Sequence[Document],
    tokenizer: Tokenizer,
    count: int,
    length: int = PROMPT_TOKENS,
    new_tokens: int = NEW_TOKENS,
) -> list[Prompt]:
    """The first `length` tokens of up to `count` documents, after the model's first token or else the separator.

    Documents that go on for `new_tokens` are preferred; where there are too few of them, shorter ones follow. In
    both, the first ones are taken. Raises MbsError when no document has so many tokens.
    """
    encoded = list(zip(documents, tokenizer.encode([document.text for document in documents]), strict=True))
    ample = [pair for pair in encoded if len(pair[1]) >= length + new_tokens]
    short = [pair for pair in encoded if length <= len(pair[1]) < length + new_tokens]
    if not ample and not short:
        most = max((len(ids) for _, ids in encoded), default=0)
        raise MbsError(f"the longest of {len(encoded)} documents has {most} tokens", f"prompts of {length} tokens")
    lead = [tokenizer.separator if tokenizer.start is None else tokenizer.start]
    return [
        Prompt(document.id, np.concatenate([lead, ids[:length]]), ids[length : length + new_tokens])
        for document, ids in [*ample, *short][:count]
    ]


def references(prompts: Sequence[Prompt], tokenizer: Tokenizer) -> list[Continuation]:
    """How the documents themselves go on: what is measured on these is the floor of each measure."""
    return [continuation(prompt.reference, tokenizer) for prompt in prompts]


def write(
    blockwise: BlockwiseModel, prompts: Sequence[Prompt], new_tokens: int, batch_tokens: int = 4096
) -> list[Continuation]:
    """The most probable next token again and again, up to `new_tokens` of them or the end of the document.

    Whatever the checkpoint's own generation configuration says, nothing is drawn and no token is penalised. Raises
    MbsError when prompt and continuation do not fit the model's context.
    """
    model, tokenizer = blockwise.hf, blockwise.tokenizer
    ends = _ends(model, tokenizer)
    config = GenerationConfig(max_new_tokens=new_tokens, do_sample=False, eos_token_id=sorted(ends),
                              pad_token_id=tokenizer.separator)  # fmt: skip
    written: dict[int, Array] = {}
    by_length = sorted(range(len(prompts)), key=lambda k: len(prompts[k].ids))
    with torch.inference_mode(), evaluating(model), blockwise.fused(), _configured(model, config):
        for length, group in groupby(by_length, key=lambda k: len(prompts[k].ids)):
            _check_context(model, length, new_tokens)
            alike, size = list(group), max(1, batch_tokens // (length + new_tokens))
            for start in range(0, len(alike), size):
                part = alike[start : start + size]
                ids = torch.from_numpy(np.stack([prompts[k].ids for k in part])).to(model.device)
                output = cast(Any, model).generate(ids, attention_mask=torch.ones_like(ids))
                written.update(zip(part, output[:, length:].cpu().numpy(), strict=True))
    return [continuation(_until(written[k], ends), tokenizer) for k in range(len(prompts))]


def judge(language: str, continuations: Sequence[Continuation], identifier: Identifier) -> Writing:
    """The measures of the continuations of prompts in one language."""
    measured = [value for value in (repetition(one.ids) for one in continuations) if value is not None]
    repeated = sum(measured) / len(measured) if measured else None
    name = identifier.known(language)
    if name is None or not continuations:
        reason = f"the language identifier does not know {language}" if name is None else "no continuations"
        return Writing(len(continuations), None, None, repeated, reason)
    total, seen = len(continuations), Counter(identifier.language(one.text) for one in continuations)
    return Writing(total, (total - seen[name] - seen[None]) / total, seen[None] / total, repeated)


def repetition(ids: Array) -> float | None:
    """The share of 4-grams of tokens that are not new: 1 - distinct / all; None for fewer than four tokens.

    Source: seq-rep-4 of Welleck et al. (2020).
    """
    grams = [tuple(ids[start : start + GRAM].tolist()) for start in range(len(ids) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else None


@contextmanager
def _configured(model: PreTrainedModel, config: GenerationConfig) -> Iterator[None]:
    """The model's own generation configuration out of the way: it would fill in whatever another leaves open."""
    before = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = before


def _ends(model: PreTrainedModel, tokenizer: Tokenizer) -> set[int]:
    """The tokens that end a document: the separator, and what the checkpoint says."""
    own = getattr(model.generation_config, "eos_token_id", None)
    return {tokenizer.separator, *(own if isinstance(own, list) else [own] if own is not None else [])}


def _until(ids: Array, ends: set[int]) -> Array:
    stops = np.flatnonzero(np.isin(ids, list(ends)))
    return ids[: stops[0]] if len(stops) else ids


def continuation(ids: Array, tokenizer: Tokenizer) -> Continuation:
    """The tokens with their text."""
    text = tokenizer.hf.decode(ids.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Continuation(ids, str(text))


def _check_context(model: PreTrainedModel, length: int, new_tokens: int) -> None:
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and length + new_tokens > limit:
        raise MbsError(f"{length} tokens and {new_tokens} new ones, and the context is {limit} tokens", "no more")
