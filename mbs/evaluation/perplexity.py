"""The visitor that scores: log-likelihood, confidence and divergence of text, with little memory for the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mbs.engine.blocks import Block
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.engine.walk import Batch, Hidden, right_padded, walk
from mbs.errors import MbsError
from mbs.evaluation.windows import LanguageText

LOGITS_AT_ONCE = 2**23  # float32 logits held at a time: 32 MiB ...
TOKENS_AT_ONCE = 256  # ... but no fewer tokens, or the head's weights are read more often than the products take
CONFIDENCE_BINS = 1000
GOLDEN = 11400714819323198485  # 2^64 over the golden ratio, odd


@dataclass(frozen=True)
class TextScores:
    """What one model makes of a language's text.

    `nll` `[units]`: the NLL in nats of each unit's scored tokens. `confidence` `[3, 1000]`: over the tokens by the
    probability of the likeliest next token, in bins of equal width, their number, their summed probability, and how
    often the likeliest was the true one. Of the dense model `states` `[m, C]`: the final states that predict the
    sampled tokens; of one that is compared with them `divergence` `[m]`: KL(dense || this model) in nats at those
    tokens. The other is empty.
    """

    nll: np.ndarray
    confidence: np.ndarray
    states: np.ndarray
    divergence: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def measure_text(
    model: BlockwiseModel,
    text: LanguageText,
    batch_tokens: int = 4096,
    sampled: np.ndarray | None = None,
    dense_states: np.ndarray | None = None,
) -> TextScores:
    """NLL and confidence at every scored token, and final states at those numbered in `sampled` (ascending).

    With the dense model's states at the same tokens, also the divergence from it: compression leaves the head as it
    was, so that the head turns both states into distributions. Windows of similar length go together, padded at the
    right, where a causal model cannot look; log-softmax in float32. Raises MbsError when a score is not finite.
    """
    visitor = _Score(text, np.zeros(0, dtype=np.int64) if sampled is None else sampled)
    with model.fused():
        walk(model, ([batch] for batch in batches(text, batch_tokens)), visitor)
        if not np.isfinite(visitor.nll).all():
            worst = text.units[int(np.flatnonzero(~np.isfinite(visitor.nll))[0])]
            raise MbsError(
                f"the model's log-probability of {worst.id} in {text.language} is not finite",
                "finite logits",
                "model.dtype=float32, or less sparsity",
            )
        states = torch.stack(visitor.states) if visitor.states else torch.zeros(0)
        if dense_states is None:
            return TextScores(visitor.nll, visitor.confidence, states.float().cpu().numpy(), np.zeros(0))
        return TextScores(
            visitor.nll, visitor.confidence, np.zeros(0), _divergence(model.skeleton, dense_states, states)
        )


def ranks(tokens: int) -> np.ndarray:
    """A rank for each scored token of a text, uint64: the `k` lowest of any number of tokens are spread evenly.

    The multiples of the golden ratio modulo 1 (Fibonacci hashing), which do not depend on how many tokens there are.
    """
    return np.arange(tokens, dtype=np.uint64) * np.uint64(GOLDEN)


def sampled_tokens(text: LanguageText, count: int) -> np.ndarray:
    """The numbers of at most `count` scored tokens, those of the lowest `ranks`, ascending."""
    return np.sort(np.argsort(ranks(text.tokens), kind="stable")[:count])


def unit_of_sampled(text: LanguageText, count: int) -> np.ndarray:
    """The unit that each of `sampled_tokens` belongs to."""
    ends = np.cumsum([size[0] for size in text.sizes])
    return np.asarray(text.unit_of_window)[np.searchsorted(ends, sampled_tokens(text, count), side="right")]


def batches(text: LanguageText, tokens: int) -> list[Batch]:
    """The windows from long to short, as many at a time as `tokens` padded tokens allow (at least one)."""
    return right_padded(text.windows, tokens)


class _Score:
    def __init__(self, text: LanguageText, sampled: np.ndarray) -> None:
        self._text, self._sampled = text, sampled
        self._first = np.concatenate([[0], np.cumsum([size[0] for size in text.sizes])])
        self.nll = np.zeros(len(text.units))
        self.confidence = np.zeros((3, CONFIDENCE_BINS))
        self.states: list[Tensor] = [torch.zeros(0)] * len(sampled)

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Only pass the states on."""
        hidden.advance(block)

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Score the tile's tokens by the model's own head."""
        for batch, h in zip(hidden.batches, hidden.h, strict=True):
            scored = [(self._text.context[row], len(self._text.windows[row])) for row in batch.rows]
            states = torch.cat([h[i, first - 1 : end - 1] for i, (first, end) in enumerate(scored)])
            targets = torch.cat([batch.ids[i, first:end] for i, (first, end) in enumerate(scored)])
            self._count(batch, token_scores(skeleton, states, targets.to(h.device)).double().cpu().numpy())
            self._keep(batch, states)

    def _count(self, batch: Batch, scores: np.ndarray) -> None:
        lengths = [self._text.sizes[row][0] for row in batch.rows]
        owner = np.repeat([self._text.unit_of_window[row] for row in batch.rows], lengths)
        nll, confidence, right = scores
        np.add.at(self.nll, owner, nll)
        place = np.minimum((np.nan_to_num(confidence) * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
        for row, weights in enumerate((np.ones_like(nll), confidence, right)):
            self.confidence[row] += np.bincount(place, weights, CONFIDENCE_BINS)

    def _keep(self, batch: Batch, states: Tensor) -> None:
        start = 0
        for row in batch.rows:
            first, end = self._first[row], self._first[row + 1]
            for number in range(*np.searchsorted(self._sampled, [first, end])):
                self.states[number] = states[start + int(self._sampled[number] - first)].clone()
            start += int(end - first)


def token_scores(skeleton: Skeleton, states: Tensor, targets: Tensor) -> Tensor:
    """Per target its -ln p, the largest p, and 1 where the target has it: `[3, M]` float32, from states `[M, C]`."""
    parts = []
    for start, logits in _logits(skeleton, states):
        top, likeliest = logits.max(dim=-1)
        target = targets[start : start + len(logits)]
        gold = logits.gather(1, target[:, None])[:, 0]
        total = logits.sub_(top[:, None]).exp_().sum(dim=-1)
        parts.append(torch.stack([total.log() + (top - gold), 1 / total, (likeliest == target).float()]))
    return torch.cat(parts, dim=1)


def _divergence(skeleton: Skeleton, dense: np.ndarray, states: Tensor) -> np.ndarray:
    """KL(dense || compressed) in nats `[m]` from the final states of both models."""
    before = torch.from_numpy(dense).to(device=states.device, dtype=states.dtype)
    parts = [torch.zeros(0)]
    for (_, p), (_, q) in zip(_logits(skeleton, before), _logits(skeleton, states), strict=True):
        ln_p, ln_q = p.log_softmax(dim=-1), q.log_softmax(dim=-1)
        parts.append((ln_p.exp() * ln_p.sub_(ln_q)).sum(dim=-1).cpu())
    return torch.cat(parts).double().numpy()


def _logits(skeleton: Skeleton, states: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The first token's number and the float32 logits `[chunk, V]` of each chunk of final states.

    Each state is a sequence of its own, so that the model makes no attention mask over them.
    """
    chunk = max(TOKENS_AT_ONCE, LOGITS_AT_ONCE // skeleton.vocabulary)
    for start in range(0, len(states), chunk):
        with torch.no_grad():
            yield start, skeleton.leave(states[start : start + chunk, None])[:, 0].float()
