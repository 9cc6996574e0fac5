"""The visitor that rewrites weights, block by block, with statistics from the already compressed part before it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbs.blocks import Block, Blocks, Site
from mbs.errors import MbsError
from mbs.moments import LanguageMoments, Moments
from mbs.pruners.base import Pruner
from mbs.sampler import CalibrationSet
from mbs.skeleton import Skeleton
from mbs.sparsity import Sparsity
from mbs.walk import Batch, Hidden, walk

MASK_SAMPLE = 65_536


@dataclass(frozen=True)
class LayerReport:
    """What became of one layer: shape `[R, C]`, zeros it now holds, and its mask at sampled positions, or whole."""

    name: str
    shape: tuple[int, int]
    zeros: int
    mask: np.ndarray

    @property
    def sparsity(self) -> float:
        """The part of its weights that is zero."""
        return self.zeros / (self.shape[0] * self.shape[1])


def compress_model(
    skeleton: Skeleton,
    blocks: Blocks,
    calibration: CalibrationSet | None,
    pruner: Pruner,
    sparsity: Sparsity,
    batch_tokens: int = 4096,
    whole_masks: bool = False,
    progress: Callable[[Block], None] = lambda block: None,
) -> list[LayerReport]:
    """Prune every linear of every block in place and report each, in the order of execution.

    All linears of a block see the statistics of the unpruned block on inputs from the pruned blocks before it, as
    published with SparseGPT and Wanda. Only matrices inside blocks are touched. Raises MbsError before the first
    weight is changed when a layer cannot take the pattern or the calibration set is missing.
    """
    check_pattern(blocks, sparsity)
    if pruner.needs and calibration is None:
        raise MbsError(f"pruner {pruner.name} without calibration text", "a calibration set", "corpus.path=FOLDER")
    visitor = _Compress(blocks, calibration if pruner.needs else None, pruner, sparsity, whole_masks, progress)
    walk(skeleton, blocks, [visitor.batches(batch_tokens)], visitor)
    return visitor.reports


def check_pattern(blocks: Blocks, sparsity: Sparsity) -> None:
    """Raise MbsError, naming the layer, unless every layer can take the pattern."""
    for k in range(len(blocks)):
        for linear in blocks.load(k).linears:
            sparsity.check(linear.name, linear.W.shape[1])


class _Compress:
    def __init__(
        self,
        blocks: Blocks,
        calibration: CalibrationSet | None,
        pruner: Pruner,
        sparsity: Sparsity,
        whole_masks: bool,
        progress: Callable[[Block], None],
    ) -> None:
        self._last = len(blocks) - 1
        self._calibration, self._pruner, self._sparsity = calibration, pruner, sparsity
        self._whole_masks, self._progress = whole_masks, progress
        self._languages = list(calibration.counts) if calibration else []
        self.reports: list[LayerReport] = []

    def batches(self, tokens: int) -> list[Batch]:
        """All calibration rows, in batches of about so many tokens; none when the weights alone decide."""
        if self._calibration is None:
            return []
        rows, length = self._calibration.tokens.shape
        size = max(1, tokens // length)
        starts = range(0, rows, size)
        ids = torch.from_numpy(self._calibration.tokens)
        return [Batch(ids[start : start + size], tuple(range(start, min(start + size, rows)))) for start in starts]

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Gather, prune, and only then pass the states on; the last block's output is not needed."""
        moments = self._gather(block, hidden) if hidden.batches else {}
        for site in block.sites:
            for linear in site.linears:
                W = linear.W
                solution = self._pruner.solve(W, moments.get(site.name), self._sparsity)
                W.copy_(solution.W)
                self._report(linear.name, W, solution.mask)
        if k < self._last:
            hidden.advance(block)
        self._progress(block)

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Nothing is left to do."""

    def _gather(self, block: Block, hidden: Hidden) -> dict[str, Moments]:
        assert self._calibration is not None
        of_row = [self._languages.index(language) for language in self._calibration.languages]
        gathered: dict[str, LanguageMoments] = {}
        for number, batch in enumerate(hidden.batches):
            languages = torch.tensor([of_row[row] for row in batch.rows])
            hooks = [_hook(site, batch, languages, len(self._languages), gathered) for site in block.sites]
            try:
                hidden.run(block, number)
            finally:
                for hook in hooks:
                    hook.remove()
        for site, moments in gathered.items():
            self._check_finite(block, site, moments)
        return {site: moments.mix() for site, moments in gathered.items()}

    def _check_finite(self, block: Block, site: str, moments: LanguageMoments) -> None:
        finite = moments.sq.isfinite().all(dim=1)
        if not finite.all():
            language = self._languages[int((~finite).nonzero()[0])]
            raise MbsError(
                f"block {block.index}: the input of {site} holds NaN or infinity on text in {language}",
                "finite activations",
                "model.dtype=float32",
            )

    def _report(self, name: str, W: Tensor, mask: Tensor) -> None:
        bits = mask.cpu().numpy().reshape(-1)
        if not self._whole_masks:
            bits = bits[mask_positions(name, bits.size)]
        zeros = W.numel() - int(torch.count_nonzero(W))
        self.reports.append(LayerReport(name, (W.shape[0], W.shape[1]), zeros, np.packbits(bits)))


def _hook(
    site: Site, batch: Batch, languages: Tensor, count: int, gathered: dict[str, LanguageMoments]
) -> torch.utils.hooks.RemovableHandle:
    shape = (*batch.ids.shape, site.width)

    def add(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        X = args[0]
        if X.numel() != shape[0] * shape[1] * shape[2]:
            raise MbsError(
                f"{site.name} sees an input of shape {tuple(X.shape)} for tokens {tuple(batch.ids.shape)}",
                "one input per token (mixtures of experts cannot be calibrated per language)",
            )
        if site.name not in gathered:
            gathered[site.name] = LanguageMoments(count, site.width, X.device)
        gathered[site.name].add(X.reshape(shape), languages.to(X.device))

    return site.linears[0].module.register_forward_pre_hook(add)


def mask_positions(name: str, size: int, sample: int = MASK_SAMPLE) -> np.ndarray:
    """The sampled flat positions of a layer's mask, ascending: the same for a name and size in every run."""
    if size <= sample:
        return np.arange(size)
    offset, step = np.frombuffer(hashlib.sha256(f"{name}\0{size}".encode()).digest()[:16], dtype="<u8").tolist()
    step = step % size
    while math.gcd(step, size) != 1:  # a step without a common factor visits no position twice
        step += 1
    return np.sort((offset % size + step * np.arange(sample, dtype=np.int64)) % size)


def achieved(reports: Sequence[LayerReport]) -> float:
    """The part of all pruned matrices' weights that is zero."""
    weights = sum(report.shape[0] * report.shape[1] for report in reports)
    return sum(report.zeros for report in reports) / weights
