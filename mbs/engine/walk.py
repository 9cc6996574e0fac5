"""The only loop over blocks there is: for compressing and for scoring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mbs.engine.blocks import Block
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Arguments, Skeleton
from mbs.engine.switches import evaluating
from mbs.engine.tokenizer import Array


@dataclass(frozen=True)
class Batch:
    """Tokens `[B, T]`, and the index of each row in the caller's list of rows; padding stands at the right."""

    ids: Tensor
    rows: tuple[int, ...]


def right_padded(sequences: Sequence[Sequence[int] | Array], tokens: int) -> list[Batch]:
    """The sequences from long to short, as many at a time as `tokens` padded tokens allow (at least one)."""
    order = sorted(range(len(sequences)), key=lambda row: (-len(sequences[row]), row))
    batches: list[Batch] = []
    while order:
        longest = len(sequences[order[0]])
        size = max(1, tokens // longest)
        rows, order = order[:size], order[size:]
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(sequences[row])] = torch.as_tensor(sequences[row])
        batches.append(Batch(ids, tuple(rows)))
    return batches


class Hidden:
    """The hidden states of one tile of batches, and the arguments of every block for each batch."""

    def __init__(self, skeleton: Skeleton, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.h: list[Tensor] = []
        self._arguments: list[list[Arguments]] = []
        for batch in batches:
            h, arguments = skeleton.enter(batch.ids, self._arguments[-1] if self._arguments else None)
            self.h.append(h)
            self._arguments.append(arguments)

    def run(self, block: Block, number: int) -> Tensor:
        """The block's output for one batch; the state itself stays."""
        return self._arguments[number][block.index].call(block.module, self.h[number])

    def advance(self, block: Block) -> None:
        """Replace every state by the block's output, in place."""
        for number in range(len(self.batches)):
            self.h[number].copy_(self.run(block, number))


class Visitor(Protocol):
    """What happens at each block; it advances the hidden states itself, before or after it rewrites the block."""

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Called for each block in order, with the hidden states that enter it."""
        ...

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Called after the last block of a tile."""
        ...


def walk(model: BlockwiseModel, tiles: Iterable[Sequence[Batch]], visitor: Visitor) -> None:
    """Take each tile (the batches that are in memory at once) through all blocks, in evaluation mode."""
    with torch.no_grad(), evaluating(model.hf):
        for tile in tiles:
            hidden = Hidden(model.skeleton, tile)
            for k in range(len(model.blocks)):
                visitor.at(k, model.blocks.load(k), hidden)
            visitor.end(model.skeleton, hidden)
