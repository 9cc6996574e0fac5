"""Masks are exact: counts from the decimal string, n of m in every group, ties by position."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mbs.compression.layer_reports import mask_positions
from mbs.compression.pruners.masks import drop_of_each, drop_smallest, keep_mask, select, select_by_topk
from mbs.compression.sparsity import NOfM, Unstructured
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


@given(st.integers(1, 12), st.integers(1, 9), st.data())
def test_drop_of_each_is_a_stable_sort(m: int, columns: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, m))
    groups = torch.randint(0, 4, (m, columns), generator=torch.Generator().manual_seed(m * columns)).float()
    order = groups.argsort(dim=0, stable=True)
    expected = torch.ones(m, columns, dtype=torch.bool).scatter_(0, order[:count], torch.zeros(count, columns).bool())
    assert torch.equal(drop_of_each(groups, count), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_selection_by_partition_and_by_topk_agree(dtype: torch.dtype) -> None:
    for score in (torch.randn(5, 301, generator=torch.Generator().manual_seed(0)), torch.ones(5, 301)):
        score = score.to(dtype)
        for count in (1, 150, 301):
            assert torch.equal(select(score, count), select_by_topk(score, count))
            assert int((~drop_smallest(score, count)).sum()) == 5 * count


def test_mask_positions_are_the_same_in_every_run() -> None:
    positions = mask_positions("a", 200_000)
    assert len(positions) == len(set(positions.tolist())) == 65_536
    assert (positions == mask_positions("a", 200_000)).all()
    assert (positions != mask_positions("b", 200_000)).any()
    assert (mask_positions("a", 10) == np.arange(10)).all()
