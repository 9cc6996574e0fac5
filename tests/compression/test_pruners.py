"""Masks are exact, and the whole compression equals a naive one on the unmodified model."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
import torch
from conftest import CONFIGS, VOCABULARY, random_model
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from mbs.compression.compress import compress_model
from mbs.compression.layer_reports import LayerReport, achieved, mask_positions
from mbs.compression.method import Pruner
from mbs.compression.moments import SiteMoments
from mbs.compression.pruners.magnitude import Magnitude
from mbs.compression.pruners.masks import drop_smallest, keep_mask
from mbs.compression.pruners.none import Keep
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import Dense, NOfM, Sparsity, Unstructured
from mbs.data.sampler import CalibrationSet
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError

matrices = st.tuples(st.integers(1, 6), st.integers(1, 24), st.integers(0, 5)).map(
    lambda shape: torch.randint(0, 2 + 3 * shape[2], shape[:2], generator=torch.Generator().manual_seed(sum(shape)))
)
ratios = st.decimals(0, Decimal("0.99"), places=2)


@given(matrices, st.data())
def test_drop_smallest_is_a_stable_sort(scores: Tensor, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, scores.shape[1]))
    mask = drop_smallest(scores.float(), count)
    order = scores.float().argsort(dim=1, stable=True)
    expected = torch.ones_like(mask).scatter(1, order[:, :count], torch.zeros_like(mask))
    assert torch.equal(mask, expected)


@given(matrices, ratios)
def test_counts_come_from_the_decimal_string(scores: Tensor, ratio: Decimal) -> None:
    sparsity = Unstructured(float(ratio))
    per_row = keep_mask(scores.float(), sparsity, per_row=True)
    assert ((~per_row).sum(dim=1) == int(scores.shape[1] * ratio)).all()
    whole = keep_mask(scores.float(), sparsity, per_row=False)
    assert int((~whole).sum()) == int(scores.numel() * ratio)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 8), st.data())
def test_n_of_m_holds_in_every_group(rows: int, groups: int, m: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, m))
    scores = torch.randint(0, 4, (rows, groups * m), generator=torch.Generator().manual_seed(rows * groups)).float()
    mask = keep_mask(scores, NOfM(n, m), per_row=True)
    assert (mask.reshape(rows, groups, m).sum(dim=2) == n).all()


def test_float_arithmetic_would_lose_one() -> None:
    assert int(100 * 0.29) == 28
    assert Unstructured(0.29).count(100) == 29
    assert Unstructured("0.625").count(8) == 5


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1.01, "0 up to but not"), (50, "try sparsity.ratio=0.5"), (-0.1, "expected"), ("half", "expected"),
     (1, "expected"), (float("nan"), "expected")],
)  # fmt: skip
def test_bad_ratios_name_the_key(ratio: Any, words: str) -> None:
    with pytest.raises(MbsError, match=r"sparsity\.ratio=") as caught:
        Unstructured(ratio)
    assert words in str(caught.value)


@pytest.mark.parametrize(("n", "m"), [(0, 4), (5, 4), (True, 4), (2.0, 4)])
def test_bad_patterns_are_refused(n: Any, m: Any) -> None:
    with pytest.raises(MbsError, match="0 < n <= m"):
        NOfM(n, m)


def test_moments_add_up_per_language() -> None:
    X = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0))
    moments = SiteMoments(frozenset({"sq"}), "site", 2, 5, torch.device("cpu"), "none")
    moments.add(X[:3], [0, 1, 0])
    moments.add(X[3:], [1])
    expected = X.double().square().sum(dim=1)
    assert torch.allclose(moments.of(0).sq, expected[[0, 2]].sum(0), rtol=1e-6)
    assert torch.allclose(moments.mix().sq, moments.of(0).sq + moments.of(1).sq, rtol=1e-12)
    assert (moments.of(0).tokens, moments.of(1).tokens, moments.mix().tokens) == (14, 14, 28)


def calibration_rows(rows: int = 6, length: int = 24) -> CalibrationSet:
    tokens = np.random.default_rng(3).integers(4, VOCABULARY, (rows, length))
    return CalibrationSet(tokens, ("en",) * (rows // 2) + ("sw",) * (rows - rows // 2), (("d",),) * rows)


def pruned_by_us(architecture: str, pruner: Pruner, sparsity: Sparsity) -> tuple[PreTrainedModel, list[LayerReport]]:
    model = random_model(architecture)
    skeleton = Skeleton(model)
    reports = compress_model(
        skeleton, MemoryBlocks(skeleton), calibration_rows(), pruner, sparsity, batch_tokens=48, whole_masks=True
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
        compress_model(skeleton, MemoryBlocks(skeleton), calibration_rows(), Wanda(), NOfM(2, 5))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_calibration_is_required_where_it_is_needed() -> None:
    skeleton = Skeleton(random_model("bloom"))
    with pytest.raises(MbsError, match="without calibration"):
        compress_model(skeleton, MemoryBlocks(skeleton), None, Wanda(), Unstructured(0.5))


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
        compress_model(skeleton, MemoryBlocks(skeleton), rows, Wanda(), Unstructured(0.5))


def test_mask_positions_are_the_same_in_every_run() -> None:
    positions = mask_positions("a", 200_000)
    assert len(positions) == len(set(positions.tolist())) == 65_536
    assert (positions == mask_positions("a", 200_000)).all()
    assert (positions != mask_positions("b", 200_000)).any()
    assert (mask_positions("a", 10) == np.arange(10)).all()
