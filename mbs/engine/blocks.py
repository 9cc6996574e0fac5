"""Decoder blocks one at a time, with their linears grouped by the input that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError

OUT_OF_REACH = 0.05  # the largest part of a block's matrix weights that may lie outside its linears


@dataclass(frozen=True)
class Linear:
    """A linear layer seen as `y = W x`, whichever way round its module stores W."""

    name: str
    module: nn.Module

    @property
    def W(self) -> Tensor:
        """The weight as `[R, C]` (outputs by inputs), a view: writing to it writes to the module."""
        weight = cast(Tensor, self.module.weight).data
        return weight.t() if isinstance(self.module, Conv1D) else weight


@dataclass(frozen=True)
class Site:
    """The linears of a block that share one input; the statistics of that input are gathered once."""

    linears: tuple[Linear, ...]

    @property
    def name(self) -> str:
        """The name of its first linear."""
        return self.linears[0].name

    @property
    def width(self) -> int:
        """The number of input features C."""
        return self.linears[0].W.shape[1]


@dataclass(frozen=True)
class Block:
    """One decoder block: its number, its name in the model, its module, and its sites in the order of execution."""

    index: int
    name: str
    module: nn.Module
    sites: tuple[Site, ...]

    @property
    def linears(self) -> tuple[Linear, ...]:
        """All its linears."""
        return tuple(linear for site in self.sites for linear in site.linears)


class Blocks(Protocol):
    """Where blocks come from and go to: memory, or a folder larger than memory."""

    def __len__(self) -> int: ...

    def load(self, k: int) -> Block:
        """Block k, ready to run."""
        ...


class MemoryBlocks:
    """The blocks of a model that is in memory.

    Raises MbsError when more than 5 % of a block's matrix weights are outside its linears (experts stored as 3-D
    tensors), because pruning the rest would not be what was asked for.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._blocks = [_block(skeleton, k) for k in range(len(skeleton.chain))]

    def __len__(self) -> int:
        return len(self._blocks)

    def load(self, k: int) -> Block:
        """Block k."""
        return self._blocks[k]


def _block(skeleton: Skeleton, k: int) -> Block:
    root = skeleton.chain[k]
    groups: list[tuple[Tensor, list[Linear]]] = []
    for call in skeleton.calls:
        if not isinstance(call.module, nn.Linear | Conv1D) or not call.name.startswith(root.name + "."):
            continue
        assert call.input is not None
        linear = Linear(call.name, call.module)
        for shared, linears in groups:
            if shared is call.input:
                linears.append(linear)
                break
        else:
            groups.append((call.input, [linear]))
    block = Block(k, root.name, root.module, tuple(Site(tuple(linears)) for _, linears in groups))
    reached = sum(linear.W.numel() for linear in block.linears)
    matrices = sum(p.numel() for p in root.module.parameters() if p.ndim > 1)
    if matrices - reached > OUT_OF_REACH * matrices:
        raise MbsError(
            f"{root.name}: {1 - reached / matrices:.0%} of its matrix weights are not in linear layers that run",
            "at most 5 % (experts stored as 3-D tensors cannot be pruned)",
            "a dense model",
        )
    return block
