"""Compression in tests: one calibration set, one way to compress a model, and masks by name."""

from __future__ import annotations

import math

import numpy as np
import torch
from conftest import VOCABULARY
from torch import Tensor
from transformers import PreTrainedModel

from mbs.compression.compress import CompressOptions, compress
from mbs.compression.layer_reports import LayerReport
from mbs.compression.method import Pruner
from mbs.compression.sparsity import Sparsity, Unstructured
from mbs.data.sampler import CalibrationSet
from mbs.engine.model import BlockwiseModel

CPU = torch.device("cpu")
HALF = Unstructured(0.5)


def rows(count: int = 6, length: int = 24) -> CalibrationSet:
    tokens = np.random.default_rng(3).integers(4, VOCABULARY, (count, length))
    return CalibrationSet(tokens, ("en",) * (count // 2) + ("sw",) * (count - count // 2), (("d",),) * count)


def compressed(
    model: PreTrainedModel, pruner: Pruner, sparsity: Sparsity, stored: torch.dtype | None = None
) -> list[LayerReport]:
    options = CompressOptions(batch_tokens=48, whole_masks=True, stored=stored)
    return compress(BlockwiseModel.of(model), rows(), pruner, sparsity, options)


def masks_of(reports: list[LayerReport]) -> dict[str, Tensor]:
    return {
        r.name: torch.from_numpy(np.unpackbits(r.mask, count=math.prod(r.shape)).astype(bool)).view(r.shape)
        for r in reports
    }
