"""The visitor that scores: negative log-likelihood per unit of text, with little memory for the vocabulary."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mbs.blocks import Block, Blocks
from mbs.errors import MbsError
from mbs.evaluators.windows import LanguageText
from mbs.fast import fast
from mbs.skeleton import Skeleton
from mbs.walk import Batch, Hidden, walk

LOGITS_AT_ONCE = 2**23  # float32 logits held at a time: 32 MiB


def score_text(skeleton: Skeleton, blocks: Blocks, text: LanguageText, batch_tokens: int = 4096) -> np.ndarray:
    """The NLL in nats of each unit's scored tokens, float64 `[units]`; log-softmax in float32.

    Windows of similar length go together, padded at the right, where a causal model cannot look. Raises MbsError
    when a score is not finite.
    """
    visitor = _Score(text)
    with fast(skeleton.model):
        walk(skeleton, blocks, ([batch] for batch in batches(text, batch_tokens)), visitor)
    if not np.isfinite(visitor.nll).all():
        worst = text.units[int(np.flatnonzero(~np.isfinite(visitor.nll))[0])]
        raise MbsError(
            f"the model's log-probability of {worst.id} in {text.language} is not finite",
            "finite logits",
            "model.dtype=float32, or less sparsity",
        )
    return visitor.nll


def batches(text: LanguageText, tokens: int) -> list[Batch]:
    """The windows from long to short, as many at a time as `tokens` padded tokens allow (at least one)."""
    order = sorted(range(len(text.windows)), key=lambda row: (-len(text.windows[row]), row))
    result: list[Batch] = []
    while order:
        longest = len(text.windows[order[0]])
        size = max(1, tokens // longest)
        rows, order = order[:size], order[size:]
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(text.windows[row])] = torch.from_numpy(text.windows[row])
        result.append(Batch(ids, tuple(rows)))
    return result


class _Score:
    def __init__(self, text: LanguageText) -> None:
        self._text = text
        self.nll = np.zeros(len(text.units))

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Only pass the states on."""
        hidden.advance(block)

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Score the tile's tokens by the model's own head."""
        for batch, h in zip(hidden.batches, hidden.h, strict=True):
            scored = [(self._text.context[row], len(self._text.windows[row])) for row in batch.rows]
            states = torch.cat([h[i, first - 1 : end - 1] for i, (first, end) in enumerate(scored)])
            targets = torch.cat([batch.ids[i, first:end] for i, (first, end) in enumerate(scored)])
            nll = token_nll(skeleton, states, targets.to(h.device)).double().cpu().numpy()
            owner = np.repeat(
                [self._text.unit_of_window[row] for row in batch.rows], [end - first for first, end in scored]
            )
            np.add.at(self.nll, owner, nll)


def token_nll(skeleton: Skeleton, states: Tensor, targets: Tensor) -> Tensor:
    """-ln p of each target `[M]` given its final state `[M, C]`, float32, in chunks of tokens."""
    chunk = max(1, LOGITS_AT_ONCE // skeleton.vocabulary)
    if skeleton.context is not None:
        chunk = min(chunk, skeleton.context)
    parts = []
    for start in range(0, len(targets), chunk):
        logits = skeleton.leave(states[None, start : start + chunk])[0].float()
        parts.append(F.cross_entropy(logits, targets[start : start + chunk], reduction="none"))
    return torch.cat(parts)
