"""A causal language model in the form that every walk takes: its skeleton and its blocks, which belong together."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mbs.engine.blocks import Blocks, MemoryBlocks
from mbs.engine.checkpoint import stored_dtype
from mbs.engine.fused import fused
from mbs.engine.matmul import PLAIN, Numerics
from mbs.engine.save import save_model
from mbs.engine.skeleton import Skeleton
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class BlockwiseModel:
    """A causal language model as skeleton and blocks, how its products are computed, and its tokenizer if it has one.

    `folder` is the checkpoint that it was read from. Everything that changes the model changes it in place.
    """

    skeleton: Skeleton
    blocks: Blocks
    numerics: Numerics = PLAIN
    text_tokenizer: Tokenizer | None = None
    folder: Path | None = None

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        tokenizer: Tokenizer | None = None,
        numerics: Numerics = PLAIN,
        folder: Path | None = None,
    ) -> BlockwiseModel:
        """A model that is in memory; raises MbsError for one that cannot be taken apart without changing its logits."""
        skeleton = Skeleton(model)
        return cls(skeleton, MemoryBlocks(skeleton), numerics, tokenizer, folder)

    @property
    def hf(self) -> PreTrainedModel:
        """The model as transformers knows it."""
        return self.skeleton.model

    @property
    def device(self) -> torch.device:
        """The device of its parameters."""
        return self.skeleton.device

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer; raises MbsError where it was opened without one."""
        if self.text_tokenizer is None:
            raise MbsError("this model has no tokenizer", "one to read text with", "mbs.open(model, tokenizer)")
        return self.text_tokenizer

    def fused(self) -> AbstractContextManager[None]:
        """Run it in fused form, on the chosen unit of the CPU, until the context ends."""
        return fused(self.hf, self.numerics)

    def save(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write it as a folder that plain transformers loads, in the dtype of its checkpoint unless told otherwise."""
        save_model(self.hf, self.tokenizer, self.folder, Path(folder), dtype or stored_dtype(self.hf))
