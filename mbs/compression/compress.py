"""The visitor that rewrites weights, block by block, with statistics from the already compressed part before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbs.compression.gather import Gathering
from mbs.compression.layer_reports import (
    FinishedBlocks,
    LayerReport,
    as_arrays,
    mask_positions,
    put_back,
    reports_of,
    weights_of,
)
from mbs.compression.method import Pruner, Solution, check_pruner
from mbs.compression.moments import Moments, SiteMoments, column_sums
from mbs.compression.pruners.masks import count_true
from mbs.compression.sparsity import Sparsity
from mbs.data.sampler import CalibrationSet
from mbs.engine.blocks import Block, Blocks, Linear
from mbs.engine.matmul import DEFAULT
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.engine.switches import one_thread
from mbs.engine.walk import Batch, Hidden, walk
from mbs.errors import MbsError
from mbs.storage.cache import Arrays

ACTIVATIONS = 2**22  # the most numbers in one activation tensor on a CPU: 16 MiB in float32
SMALLEST_HALF = 2.0**-24


@dataclass(frozen=True)
class CompressOptions:
    """How a model is compressed, besides what decides the mathematics.

    `batch_tokens`: tokens per forward pass. `whole_masks`: report all of every mask, not a sample. `stored`: the dtype
    in which the model will be saved (None is the one it has). `finished`: where finished blocks are kept, so that a
    stopped compression goes on after the last of them. `progress` is called after every block.
    """

    batch_tokens: int = 4096
    whole_masks: bool = False
    stored: torch.dtype | None = None
    finished: FinishedBlocks | None = None
    progress: Callable[[Block], None] = lambda block: None


def compress(
    model: BlockwiseModel,
    calibration: CalibrationSet | None,
    pruner: Pruner,
    sparsity: Sparsity,
    options: CompressOptions | None = None,
) -> list[LayerReport]:
    """Prune every linear of every block in place and report each, in the order of execution.

    All linears of a block see the statistics of the unpruned block on inputs from the pruned blocks before it, as
    published with SparseGPT and Wanda. Only matrices inside blocks are changed. New weights are rounded to
    `options.stored` before the block's outputs are passed on. A block that is finished already is read and passed
    through, which gives the same bits. Raises MbsError before the first weight is changed when a layer cannot take the
    pattern or the calibration set is missing; later when numbers are not finite.
    """
    check_pruner(pruner, sparsity)
    check_pattern(model.blocks, sparsity)
    if pruner.needs and calibration is None:
        raise MbsError(f"pruner {pruner.name} without calibration text", "a calibration set", "corpus.path=FOLDER")
    visitor = _Compress(model, calibration if pruner.needs else None, pruner, sparsity, options or CompressOptions())
    reports = visitor.read_all()
    if reports is not None:
        return reports
    with one_thread() if visitor.exact else model.fused():
        walk(model, [visitor.batches()], visitor)
    return visitor.reports


def check_pattern(blocks: Blocks, sparsity: Sparsity) -> None:
    """Raise MbsError, naming the layer, unless every layer can take the pattern."""
    for k in range(len(blocks)):
        for linear in blocks.load(k).linears:
            sparsity.check(linear.name, linear.W.shape[1])


class _Compress:
    def __init__(
        self,
        model: BlockwiseModel,
        calibration: CalibrationSet | None,
        pruner: Pruner,
        sparsity: Sparsity,
        options: CompressOptions,
    ) -> None:
        self._model, self._calibration = model, calibration
        self._pruner, self._sparsity, self._options = pruner, sparsity, options
        self.exact = "hessian" in pruner.needs
        self._gathering: Gathering | None = None
        if calibration:
            languages = list(calibration.counts)
            of_row = [languages.index(language) for language in calibration.languages]
            narrow = DEFAULT if self.exact else model.numerics.narrow
            self._gathering = Gathering(pruner.needs, languages, of_row, narrow)
        self.reports: list[LayerReport] = []
        self._read: dict[int, list[LayerReport]] = {}

    def read_all(self) -> list[LayerReport] | None:
        """Put every finished block's weights in place; None if any block is missing: the caller must run the walk."""
        finished, blocks = self._options.finished, self._model.blocks
        if finished is None or not all(finished.has(k) for k in range(len(blocks))):
            return None
        for k in range(len(blocks)):
            arrays, block = finished.read(k), blocks.load(k)
            if arrays is None:
                return None
            put_back(block, arrays, self._dtype(block))
            self._read[k] = reports_of(arrays)
        for k in self._read:
            self._options.progress(blocks.load(k))
        return [report for reports in self._read.values() for report in reports]

    def batches(self) -> list[Batch]:
        """All calibration rows, in batches of about `batch_tokens`; none when the weights alone decide.

        On a CPU smaller batches are no slower, and their activations stay in its caches.
        """
        if self._calibration is None:
            return []
        tokens, blocks = self._options.batch_tokens, self._model.blocks
        rows, length = self._calibration.tokens.shape
        if self._model.device.type == "cpu":
            widest = max(site.width for k in range(len(blocks)) for site in blocks.load(k).sites)
            tokens = min(tokens, ACTIVATIONS // widest)
        size = 1 if self.exact else max(1, tokens // length)
        starts = range(0, rows, size)
        ids = torch.from_numpy(self._calibration.tokens)
        return [Batch(ids[start : start + size], tuple(range(start, min(start + size, rows)))) for start in starts]

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Gather, prune, and only then pass the states on; the last block's output is not needed."""
        if self._options.finished is None:
            self.reports += self._finish(block, hidden)
        else:
            self.reports += self._finish_or_read(block, hidden, self._options.finished)
        if k < len(self._model.blocks) - 1:
            hidden.advance(block)
        self._options.progress(block)

    def _finish_or_read(self, block: Block, hidden: Hidden, finished: FinishedBlocks) -> list[LayerReport]:
        if block.index in self._read:  # its weights are in place, wherever the file may be by now
            return self._read[block.index]
        dtype = self._dtype(block)
        pruned_now = False

        def prune() -> Arrays:
            nonlocal pruned_now
            pruned_now = True
            return {**as_arrays(self._finish(block, hidden)), **weights_of(block, dtype)}

        arrays = finished.make_once(block.index, prune)
        if not pruned_now:
            put_back(block, arrays, dtype)
        return reports_of(arrays)

    def _dtype(self, block: Block) -> torch.dtype:
        return self._options.stored or block.linears[0].W.dtype

    def _finish(self, block: Block, hidden: Hidden) -> list[LayerReport]:
        reports = []
        gathered = dict(self._gathering.of(block, hidden)) if self._gathering else {}
        for site in block.sites:
            moments = gathered.pop(site.name, None)
            mix = moments.mix() if moments else None
            for linear in site.linears:
                reports.append(self._prune(block, linear, moments, mix))
            del moments, mix  # the next site needs their memory
        return reports

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Nothing is left to do."""

    def _prune(self, block: Block, linear: Linear, gathered: SiteMoments | None, mix: Moments | None) -> LayerReport:
        W = linear.W
        before = W.clone() if gathered else W
        if not _finite(before):
            raise MbsError(
                f"block {block.index}: {linear.name} has weights that are NaN or infinite",
                "finite weights",
                "another copy of the checkpoint",
            )
        try:
            solution = self._pruner.solve(W, mix, self._sparsity)
        except MbsError as refused:
            raise MbsError(f"block {block.index}, {linear.name}: {refused}") from refused
        torch.add(as_stored(solution, self._options.stored or W.dtype), 0.0, out=W)  # -0.0 + 0.0 is +0.0
        if gathered and not _finite(W):
            raise MbsError(
                f"block {block.index}: {linear.name} has new weights that are NaN or infinite",
                "finite weights",
                "more calibration.segments",
            )
        errors: dict[str, float] = {}
        error = None
        if gathered and mix and self._gathering:
            before = before.float()
            change = before - W
            errors = relative_errors(change, before, gathered.sq, self._gathering.languages)
            error = _exact_error(change, before, mix)
        bits = solution.mask.cpu().numpy().reshape(-1)
        if not self._options.whole_masks:
            bits = bits[mask_positions(linear.name, bits.size)]
        zeros = W.numel() - count_true(W != 0)
        shape = (W.shape[0], W.shape[1])
        return LayerReport(linear.name, shape, zeros, np.packbits(bits), errors, error, dict(solution.notes))


def as_stored(solution: Solution, dtype: torch.dtype) -> Tensor:
    """The new weights in that dtype; a kept weight too small for float16 becomes its smallest number."""
    W = solution.W.to(dtype)
    if dtype == torch.float16 and solution.W.dtype != dtype:
        lost = (W == 0) & solution.mask & (solution.W != 0)
        W = torch.where(lost, torch.copysign(torch.full_like(W, SMALLEST_HALF), W), W)
    return W


def _finite(W: Tensor) -> bool:
    return bool(W.sum(dtype=torch.float32).isfinite())


def relative_errors(change: Tensor, W: Tensor, sq: Tensor, languages: Sequence[str]) -> dict[str, float]:
    """The diagonal form of the relative error per language, for squared norms `sq` `[languages, C]`."""
    lost, all_ = ((sq @ column_sums(M.square())).tolist() for M in (change, W))
    return {code: part / whole for code, part, whole in zip(languages, lost, all_, strict=True) if whole > 0}


def _exact_error(change: Tensor, W: Tensor, mix: Moments) -> float | None:
    if mix.gram is not None:
        lost, all_ = mix.gram.energy(change), mix.gram.energy(W)
    elif mix.hessian is not None:
        H = mix.hessian
        lost, all_ = (float(((M @ H) * M).sum(dtype=torch.float64)) for M in (change, W))
    else:
        return None
    return lost / all_ if all_ > 0 else None
