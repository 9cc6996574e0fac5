"""A model as lm-eval sees it, scored by our own walk: only the answers' tokens meet the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lm_eval.models.huggingface import HFLM
from torch import Tensor

from mbs.engine.blocks import Block
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.engine.walk import Hidden, right_padded, walk
from mbs.errors import MbsError
from mbs.evaluation.perplexity import token_scores

Encoded = tuple[tuple[str, str], list[int], list[int]]


class WalkLM(HFLM):
    """lm-eval's own Hugging Face model, tokens and generation included, but for its log-likelihoods."""

    def __init__(self, model: BlockwiseModel, batch_tokens: int) -> None:
        super().__init__(pretrained=model.hf, tokenizer=model.tokenizer.hf, batch_size=1)
        self._blockwise, self._batch_tokens = model, batch_tokens

    def _loglikelihood_tokens(
        self, requests: Sequence[Encoded], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """ln p of each continuation given its context, and whether it is what greedy decoding would write.

        A sequence longer than the model's length loses its beginning, as in lm-eval.
        """
        inputs: dict[tuple[int, ...], list[int]] = {}
        continuations = []
        for number, (strings, context, continuation) in enumerate(requests):
            if not continuation or len(continuation) > self.max_length:
                raise MbsError(
                    f"an answer of {len(continuation)} tokens ({''.join(strings)[:40]!r} ...)",
                    f"1 to {self.max_length}, the model's length",
                )
            kept = [*context, *continuation][-(self.max_length + 1) :]
            inputs.setdefault(tuple(kept[:-1]), []).append(number)
            continuations.append(kept[-len(continuation) :])
        visitor = _Continuations(list(inputs), list(inputs.values()), continuations)
        with self._blockwise.fused():
            tiles = ([batch] for batch in right_padded(list(inputs), self._batch_tokens))
            walk(self._blockwise, tiles, visitor)
        return visitor.scores


class _Continuations:
    """Scores what follows each distinct input; requests that share one (answers of a single token) share its pass."""

    def __init__(
        self, inputs: Sequence[Sequence[int]], requests: Sequence[Sequence[int]], continuations: Sequence[list[int]]
    ) -> None:
        self._inputs, self._requests, self._continuations = inputs, requests, continuations
        self.scores: list[tuple[float, bool]] = [(float("nan"), False)] * len(continuations)

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Only pass the states on."""
        hidden.advance(block)

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Score the tile's continuations by the model's own head."""
        for batch, h in zip(hidden.batches, hidden.h, strict=True):
            states: list[Tensor] = []
            owners: list[int] = []
            for i, row in enumerate(batch.rows):
                end = len(self._inputs[row])
                for number in self._requests[row]:
                    states.append(h[i, end - len(self._continuations[number]) : end])
                    owners.append(number)
            targets = [token for number in owners for token in self._continuations[number]]
            nll, _, right = token_scores(skeleton, torch.cat(states), torch.tensor(targets, device=h.device)).double()
            lengths = [len(self._continuations[number]) for number in owners]
            for number, mine, hits in zip(owners, nll.split(lengths), right.split(lengths), strict=True):
                self.scores[number] = (-float(mine.sum()), bool(hits.all()))
