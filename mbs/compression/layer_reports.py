"""What became of each compressed layer, and finished blocks as arrays: what a killed compression goes on from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mbs.engine.blocks import Block
from mbs.storage.cache import Arrays
from mbs.storage.digests import strict_json

MASK_SAMPLE = 65_536


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


class FinishedBlocks(Protocol):
    """The finished blocks of a compression, by index."""

    def has(self, k: int) -> bool:
        """Whether block k is finished."""
        ...

    def read(self, k: int) -> Arrays | None:
        """Block k, or None where it is missing or damaged."""
        ...

    def make_once(self, k: int, make: Callable[[], Arrays]) -> Arrays:
        """Block k, made by the callable if it is missing."""
        ...


def as_arrays(reports: Sequence[LayerReport]) -> Arrays:
    """The reports as arrays."""
    rows = [[r.name, r.shape, r.zeros, dict(r.errors), r.error, dict(r.notes)] for r in reports]
    return {"reports": np.array(strict_json(rows)), **{f"mask {r.name}": r.mask for r in reports}}


def reports_of(arrays: Arrays) -> list[LayerReport]:
    """Inverse of `as_arrays()`."""
    return [
        LayerReport(name, (shape[0], shape[1]), zeros, arrays[f"mask {name}"], errors, error, notes)
        for name, shape, zeros, errors, error, notes in json.loads(str(arrays["reports"]))
    ]


def weights_of(block: Block, dtype: torch.dtype) -> Arrays:
    """The block's matrices in a dtype that holds them exactly, outputs by inputs; bfloat16 as its bits."""
    return {f"W {linear.name}": _to_numpy(linear.W.to(dtype)) for linear in block.linears}


def put_back(block: Block, arrays: Arrays, dtype: torch.dtype) -> None:
    """Write kept matrices into the block."""
    for linear in block.linears:
        linear.W.copy_(_to_torch(arrays[f"W {linear.name}"], dtype))


def _to_numpy(W: Tensor) -> np.ndarray:
    W = W.detach().cpu().contiguous()
    return W.view(torch.int16).numpy() if W.dtype == torch.bfloat16 else W.numpy()


def _to_torch(W: np.ndarray, dtype: torch.dtype) -> Tensor:
    found = torch.from_numpy(W)
    return found.view(torch.bfloat16) if dtype == torch.bfloat16 else found


def mask_positions(name: str, size: int, sample: int = MASK_SAMPLE) -> np.ndarray:
    """The sampled flat positions of a layer's mask, ascending: the same for a name and size in every run."""
    if size <= sample:
        return np.arange(size)
    offset, step = np.frombuffer(hashlib.sha256(f"{name}\0{size}".encode()).digest()[:16], dtype="<u8").tolist()
    step = step % size
    while math.gcd(step, size) != 1:  # a step without a common factor visits no position twice
        step += 1
    return np.sort((offset % size + step * np.arange(sample, dtype=np.int64)) % size)


def sampled(report: LayerReport) -> LayerReport:
    """The same with a sample of its whole mask."""
    size = report.shape[0] * report.shape[1]
    bits = np.unpackbits(report.mask, count=size)[mask_positions(report.name, size)]
    return replace(report, mask=np.packbits(bits))


def achieved(reports: Sequence[LayerReport]) -> float:
    """The part of all pruned matrices' weights that is zero."""
    weights = sum(report.shape[0] * report.shape[1] for report in reports)
    return sum(report.zeros for report in reports) / weights
