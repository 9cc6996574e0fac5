"""The visitor that rewrites weights, block by block, with statistics from the already compressed part before it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mbs.blocks import Block, Blocks, Linear
from mbs.errors import MbsError
from mbs.fast import fast
from mbs.gather import Gathering
from mbs.moments import Moments, SiteMoments, column_sums
from mbs.process import one_thread
from mbs.products import DEFAULT, probe
from mbs.pruners.base import Pruner, Solution, check_pruner
from mbs.pruners.masks import count_true
from mbs.sampler import CalibrationSet
from mbs.skeleton import Skeleton
from mbs.sparsity import Sparsity
from mbs.walk import Batch, Hidden, walk

MASK_SAMPLE = 65_536
ACTIVATIONS = 2**22  # the most numbers in one activation tensor on a CPU: 16 MiB in float32
SMALLEST_HALF = 2.0**-24


@dataclass(frozen=True)
class LayerReport:
    """What became of one layer: shape `[R, C]`, zeros it now holds, and its mask at sampled positions, or whole.

    `errors` is the relative reconstruction error per language, `sum dW_ij^2 s_j / sum W_ij^2 s_j` with that language's
    squared norms s: the diagonal form, which takes features for uncorrelated. `error` is `tr(dW G dW^T) / tr(W G W^T)`
    for the Gram matrix of the mix, exact, where the pruner gathered one. `notes` come from the pruner.
    """

    name: str
    shape: tuple[int, int]
    zeros: int
    mask: np.ndarray
    errors: Mapping[str, float] = field(default_factory=dict)
    error: float | None = None
    notes: Mapping[str, float] = field(default_factory=dict)

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
    stored: torch.dtype | None = None,
    progress: Callable[[Block], None] = lambda block: None,
) -> list[LayerReport]:
    """Prune every linear of every block in place and report each, in the order of execution.

    All linears of a block see the statistics of the unpruned block on inputs from the pruned blocks before it, as
    published with SparseGPT and Wanda. Only matrices inside blocks are touched. New weights are rounded to `stored`
    (the dtype in which the model will be saved; None is the one it has) before the block's outputs are passed on.
    Raises MbsError before the first weight is changed when a layer cannot take the pattern or the calibration set is
    missing; later when numbers are not finite.
    """
    check_pruner(pruner, sparsity)
    check_pattern(blocks, sparsity)
    if pruner.needs and calibration is None:
        raise MbsError(f"pruner {pruner.name} without calibration text", "a calibration set", "corpus.path=FOLDER")
    visitor = _Compress(skeleton, blocks, calibration, pruner, sparsity, whole_masks, stored, progress)
    with one_thread() if visitor.exact else fast(skeleton.model):
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
        skeleton: Skeleton,
        blocks: Blocks,
        calibration: CalibrationSet | None,
        pruner: Pruner,
        sparsity: Sparsity,
        whole_masks: bool,
        stored: torch.dtype | None,
        progress: Callable[[Block], None],
    ) -> None:
        self._last = len(blocks) - 1
        self._calibration = calibration if pruner.needs else None
        self._pruner, self._sparsity = pruner, sparsity
        self._whole_masks, self._stored, self._progress = whole_masks, stored, progress
        self.exact = "hessian" in pruner.needs
        self._device = skeleton.device
        self._widest = max(site.width for k in range(len(blocks)) for site in blocks.load(k).sites)
        self._gathering: Gathering | None = None
        if self._calibration:
            languages = list(self._calibration.counts)
            of_row = [languages.index(language) for language in self._calibration.languages]
            narrow = DEFAULT if self.exact else probe(skeleton.device).narrow
            self._gathering = Gathering(pruner.needs, languages, of_row, narrow)
        self.reports: list[LayerReport] = []

    def batches(self, tokens: int) -> list[Batch]:
        """All calibration rows, in batches of about so many tokens; none when the weights alone decide.

        On a CPU smaller batches are no slower, and their activations stay in its caches.
        """
        if self._calibration is None:
            return []
        rows, length = self._calibration.tokens.shape
        if self._device.type == "cpu":
            tokens = min(tokens, ACTIVATIONS // self._widest)
        size = 1 if self.exact else max(1, tokens // length)
        starts = range(0, rows, size)
        ids = torch.from_numpy(self._calibration.tokens)
        return [Batch(ids[start : start + size], tuple(range(start, min(start + size, rows)))) for start in starts]

    def at(self, k: int, block: Block, hidden: Hidden) -> None:
        """Gather, prune, and only then pass the states on; the last block's output is not needed."""
        gathered = dict(self._gathering.of(block, hidden)) if self._gathering else {}
        for site in block.sites:
            moments = gathered.pop(site.name, None)
            mix = moments.mix() if moments else None
            for linear in site.linears:
                self._prune(block, linear, moments, mix)
            del moments, mix  # the second pass needs their memory
        if k < self._last:
            hidden.advance(block)
        self._progress(block)

    def end(self, skeleton: Skeleton, hidden: Hidden) -> None:
        """Nothing is left to do."""

    def _prune(self, block: Block, linear: Linear, gathered: SiteMoments | None, mix: Moments | None) -> None:
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
        torch.add(as_stored(solution, self._stored or W.dtype), 0.0, out=W)  # -0.0 + 0.0 is +0.0
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
        if not self._whole_masks:
            bits = bits[mask_positions(linear.name, bits.size)]
        zeros = W.numel() - count_true(W != 0)
        shape = (W.shape[0], W.shape[1])
        self.reports.append(
            LayerReport(linear.name, shape, zeros, np.packbits(bits), errors, error, dict(solution.notes))
        )


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
