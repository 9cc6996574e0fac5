"""Pruners on whole models: what stays is untouched, and what cannot be pruned is refused."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
import torch
from conftest import CONFIGS, VOCABULARY, random_model
from pruning import HALF
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from mbs.compression.compress import CompressOptions, as_stored, compress
from mbs.compression.layer_reports import LayerReport, achieved
from mbs.compression.method import Pruner, Solution
from mbs.compression.pruners.magnitude import Magnitude
from mbs.compression.pruners.none import Keep
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import Dense, NOfM, Sparsity, Unstructured
from mbs.data.sampler import CalibrationSet
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.model import BlockwiseModel
from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError


def calibration_rows(rows: int = 6, length: int = 24) -> CalibrationSet:
    tokens = np.random.default_rng(3).integers(4, VOCABULARY, (rows, length))
    return CalibrationSet(tokens, ("en",) * (rows // 2) + ("sw",) * (rows - rows // 2), (("d",),) * rows)


def pruned_by_us(architecture: str, pruner: Pruner, sparsity: Sparsity) -> tuple[PreTrainedModel, list[LayerReport]]:
    model = random_model(architecture)
    skeleton = Skeleton(model)
    reports = compress(
        BlockwiseModel(skeleton, MemoryBlocks(skeleton)),
        calibration_rows(),
        pruner,
        sparsity,
        CompressOptions(batch_tokens=48, whole_masks=True),
    )
    return model, reports


BLOCK_LISTS = {"bloom": "transformer.h", "gpt2": "transformer.h", "opt": "model.decoder.layers"}


def naive_wanda(model: PreTrainedModel, block_list: str, tokens: Tensor, ratio: float) -> None:
    """Wanda as one would write it first: whole forward passes of the model itself, plain hooks, stable sorts."""
    for block in cast(Sequence[nn.Module], model.get_submodule(block_list)):
        linears = [module for module in block.modules() if isinstance(module, nn.Linear | Conv1D)]
        squares = {linear: torch.zeros((), dtype=torch.float64) for linear in linears}

        def add(module: nn.Module, args: tuple[Tensor, ...], squares: dict[Any, Tensor] = squares) -> None:
            squares[module] = squares[module] + args[0].double().square().flatten(0, -2).sum(0)

        hooks = [linear.register_forward_pre_hook(add) for linear in linears]
        with torch.no_grad():
            for row in tokens:
                model(row[None], use_cache=False)
        for hook in hooks:
            hook.remove()
        for linear in linears:
            weight = linear.weight.data
            W = weight.t() if isinstance(linear, Conv1D) else weight
            order = (W.abs() * squares[linear].sqrt().float()).argsort(dim=1, stable=True)
            W.scatter_(1, order[:, : int(W.shape[1] * Decimal(str(ratio)))], 0.0)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_wanda_equals_the_naive_one_mask_for_mask(architecture: str) -> None:
    ours, reports = pruned_by_us(architecture, Wanda(), Unstructured(0.6))
    theirs = random_model(architecture)
    naive_wanda(theirs, BLOCK_LISTS.get(architecture, "model.layers"), torch.from_numpy(calibration_rows().tokens), 0.6)
    changed = 0
    for (name, ours_weight), theirs_weight in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(ours_weight, theirs_weight), name
        changed += int((ours_weight == 0).sum())
    assert changed == sum(report.zeros for report in reports) > 0


@pytest.mark.parametrize("pruner", [Wanda(), Magnitude()])
@pytest.mark.parametrize("sparsity", [Unstructured(0.5), NOfM(2, 4), NOfM(4, 8)])
@pytest.mark.parametrize("architecture", ["bloom", "gpt2"])
def test_what_stays_is_untouched_and_zeros_are_positive(architecture: str, pruner: Pruner, sparsity: Sparsity) -> None:
    before = dict(random_model(architecture).named_parameters())
    model, reports = pruned_by_us(architecture, pruner, sparsity)
    for name, parameter in model.named_parameters():
        kept = parameter != 0
        assert torch.equal(parameter[kept].view(torch.int32), before[name][kept].view(torch.int32)), name
        assert not torch.signbit(parameter[~kept]).any()
    assert achieved(reports) == pytest.approx(0.5, abs=0.01)


def test_masks_are_reported_as_they_are() -> None:
    model, reports = pruned_by_us("gpt2", Wanda(), Unstructured(0.5))
    for report in reports:
        W = cast(Tensor, model.get_submodule(report.name).weight).t()
        bits = np.unpackbits(report.mask, count=W.numel()).reshape(W.shape)
        assert (bits == (W != 0).numpy()).all()
        assert report.shape == tuple(W.shape)


def test_magnitude_takes_the_smallest_of_each_matrix() -> None:
    before = random_model("llama")
    model, reports = pruned_by_us("llama", Magnitude(), Unstructured(0.3))
    for report in reports:
        old = cast(Tensor, before.get_submodule(report.name).weight).detach().numpy()
        new = cast(Tensor, model.get_submodule(report.name).weight).detach().numpy()
        threshold = np.sort(np.abs(old), axis=None)[int(Decimal("0.3") * old.size)]
        assert ((new != 0) == (np.abs(old) >= threshold)).all()


@pytest.mark.parametrize(
    ("pruner", "sparsity"), [(Wanda(), Dense()), (Wanda(), Unstructured(0)), (Keep(), Unstructured(0.5))]
)
def test_no_sparsity_changes_nothing(pruner: Pruner, sparsity: Sparsity) -> None:
    model, reports = pruned_by_us("bloom", pruner, sparsity)
    for ours, before in zip(model.parameters(), random_model("bloom").parameters(), strict=True):
        assert torch.equal(ours, before)
    assert achieved(reports) == 0


def test_a_pattern_that_does_not_divide_is_refused_before_a_weight_changes() -> None:
    model = random_model("llama")
    before = [parameter.clone() for parameter in model.parameters()]
    skeleton = Skeleton(model)
    with pytest.raises(MbsError, match=r"has 32 inputs, which 5 does not divide"):
        compress(BlockwiseModel(skeleton, MemoryBlocks(skeleton)), calibration_rows(), Wanda(), NOfM(2, 5))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_calibration_is_required_where_it_is_needed() -> None:
    skeleton = Skeleton(random_model("bloom"))
    with pytest.raises(MbsError, match="without calibration"):
        compress(BlockwiseModel(skeleton, MemoryBlocks(skeleton)), None, Wanda(), Unstructured(0.5))


def test_nan_is_named_by_block_layer_and_language() -> None:
    model = random_model("llama")
    poisoned = int(calibration_rows().tokens[4, 0])
    with torch.no_grad():
        cast(nn.Embedding, model.get_input_embeddings()).weight[poisoned] = float("nan")
    skeleton = Skeleton(model)
    rows = calibration_rows()
    tokens = np.where(rows.tokens[:3] == poisoned, 5, rows.tokens[:3])
    rows = CalibrationSet(np.concatenate([tokens, rows.tokens[3:]]), rows.languages, rows.documents)
    with pytest.raises(MbsError, match=r"block 0: the input of .*q_proj holds NaN or infinity on text in sw"):
        compress(BlockwiseModel(skeleton, MemoryBlocks(skeleton)), rows, Wanda(), Unstructured(0.5))


def test_weights_that_are_not_finite_are_refused() -> None:
    skeleton = Skeleton(random_model("gpt2"))
    blocks = MemoryBlocks(skeleton)
    blocks.load(1).linears[2].W[3, 4] = float("inf")
    with pytest.raises(MbsError, match=r"block 1: transformer\.h\.1\.mlp\.c_fc has weights that are NaN or infinite"):
        compress(BlockwiseModel(skeleton, blocks), None, Magnitude(), HALF)


def test_a_small_weight_that_stays_does_not_become_zero() -> None:
    W = torch.tensor([[2e-8, -2e-8, 0.0, 1.0, -0.0]])
    mask = torch.tensor([[True, True, True, True, False]])
    stored = as_stored(Solution(W, mask), torch.float16)
    assert stored.tolist() == [[2.0**-24, -(2.0**-24), 0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"damping": 0}, "pruner.damping=0"), ({"damping": True}, "above 0"), ({"block": 0}, "pruner.block=0"),
     ({"exact": "yes"}, "pruner.exact=yes; expected true or false")],
)  # fmt: skip
def test_wrong_settings_are_one_line(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(MbsError, match=words.replace(".", r"\.")):
        SparseGPT(**settings)
    with pytest.raises(MbsError, match=r"pruner\.variant=2"):
        Wanda(variant=2)  # type: ignore[arg-type]
    with pytest.raises(MbsError, match=r"unknown pruner\.per 'rows'.*try 'row'"):
        Magnitude(per="rows")
