"""SparseGPT's columns: exact counts, old weights left alone, dead features."""

from __future__ import annotations

from decimal import Decimal

import naive
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pruning import CPU, HALF

from mbs.compression.moments import SiteMoments
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.sparsegpt_columns import sweep_
from mbs.compression.sparsity import NOfM, Unstructured


@given(
    st.integers(1, 7), st.integers(1, 40), st.integers(1, 48), st.decimals(0, Decimal("0.99"), places=2), st.booleans()
)
def test_sparsegpt_counts_are_exact_even_with_ties(R: int, C: int, block: int, ratio: Decimal, equal: bool) -> None:
    W = torch.ones(R, C) if equal else torch.randn(R, C, generator=torch.Generator().manual_seed(R * C))
    sparsity = Unstructured(str(ratio))
    keep = sweep_(W.t().contiguous(), torch.eye(C), sparsity, block)
    for end in [*range(block, C, block), C]:
        assert int((~keep[:end]).sum()) == int(R * end * ratio)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 20), st.integers(1, 64), st.booleans(), st.data())
def test_sparsegpt_keeps_n_of_m(R: int, groups: int, m: int, block: int, equal: bool, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, m))
    C = groups * m
    generator = torch.Generator().manual_seed(C)
    W = torch.ones(R, C) if equal else torch.randn(R, C, generator=generator)
    V = torch.eye(C) + torch.randn(C, C, generator=generator).tril(-1) / C
    Wt = W.t().contiguous()
    keep = sweep_(Wt, V, NOfM(n, m), block)
    assert (keep.view(groups, m, R).sum(dim=1) == n).all()
    assert (Wt[~keep] == 0).all()


@pytest.mark.parametrize("shape", [(4, 8), (1, 8)])
def test_solving_leaves_the_old_weights_alone(shape: tuple[int, int]) -> None:
    R, C = shape
    site = SiteMoments(frozenset({"sq", "gram"}), "site", 1, C, CPU, "none")
    site.add(torch.randn(1, 40, C, generator=torch.Generator().manual_seed(0)), [0])
    W = torch.randn(C, R, generator=torch.Generator().manual_seed(1)).t()
    before = W.clone()
    new = SparseGPT().solve(W, site.mix(), HALF).W
    assert torch.equal(W, before)
    assert not (torch.signbit(new) & (new == 0)).any()


def test_a_dead_feature_loses_its_weights() -> None:
    X = torch.randn(50, 12, generator=torch.Generator().manual_seed(0))
    X[:, 5] = 0
    W = torch.randn(6, 12, generator=torch.Generator().manual_seed(1))
    site = SiteMoments(frozenset({"sq", "gram"}), "site", 1, 12, CPU, "none")
    site.add(X[None], [0])
    solution = SparseGPT().solve(W, site.mix(), Unstructured(0.25))
    new, mask = naive.sparsegpt(Unstructured(0.25), 128)(W.double(), (X.t() @ X).double(), solution.mask)
    assert torch.equal(solution.mask, mask)
    assert torch.allclose(solution.W.double(), new, atol=1e-5)
    assert (solution.W[:, 5] == 0).all()
