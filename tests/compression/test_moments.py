"""What is gathered of a layer's input: moments per language, Gram matrices near float64, and their factors."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from conftest import random_model
from pruning import CPU, HALF, compressed
from torch import Tensor

from mbs.compression.gram import Gram, invert_, symmetric_product
from mbs.compression.moments import SiteMoments
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.engine.matmul import measured
from mbs.errors import MbsError


def test_moments_add_up_per_language() -> None:
    X = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0))
    moments = SiteMoments(frozenset({"sq"}), "site", 2, 5, torch.device("cpu"), "none")
    moments.add(X[:3], [0, 1, 0])
    moments.add(X[3:], [1])
    expected = X.double().square().sum(dim=1)
    assert torch.allclose(moments.of(0).sq, expected[[0, 2]].sum(0), rtol=1e-6)
    assert torch.allclose(moments.mix().sq, moments.of(0).sq + moments.of(1).sq, rtol=1e-12)
    assert (moments.of(0).tokens, moments.of(1).tokens, moments.mix().tokens) == (14, 14, 28)


def test_means_are_gathered_for_a_pruner_that_needs_them() -> None:
    X = torch.randn(2, 37, 5, generator=torch.Generator().manual_seed(0))
    site = SiteMoments(frozenset({"sq", "mean"}), "site", 2, 5, CPU, "none")
    site.add(X, [1, 0])
    assert torch.allclose(site.of(1).mean, X[0].double().mean(dim=0))
    assert torch.allclose(site.mix().mean, X.double().mean(dim=(0, 1)))
    assert site.mix().gram is None


def spread(C: int) -> Tensor:
    """Activations with correlated features of very different size."""
    generator = torch.Generator().manual_seed(C)
    mixed = torch.randn(2 * C, C, generator=generator) @ torch.randn(C, C, generator=generator)
    return cast(Tensor, mixed / C**0.5)


@pytest.mark.parametrize("C", [1, 7, 256, 700, 2100])
def test_the_factor_is_that_of_the_inverse(C: int) -> None:
    gram = Gram("site", C, CPU)
    X = spread(C)
    gram.add(X)
    factor = gram.factor(0.01)
    G = X.double().t() @ X.double()
    H = G + 0.01 * G.diagonal().mean() * torch.eye(C)
    U = torch.linalg.cholesky(torch.linalg.inv(H), upper=True)
    assert torch.allclose(factor.V.t().double(), U, atol=1e-4 * float(U.abs().max()))
    assert torch.equal(factor.V, factor.V.tril())
    assert 0.2 * torch.linalg.cond(H) < factor.condition <= 1.001 * torch.linalg.cond(H)
    assert gram.factor(0.01) is factor


def test_lower_triangles_are_enough() -> None:
    X = spread(600)
    gram = Gram("site", 600, CPU)
    gram.add(X)
    G = X.double().t() @ X.double()
    W = torch.randn(9, 600, generator=torch.Generator().manual_seed(0))
    assert gram.energy(W) == pytest.approx(float((W.double() @ G * W).sum()), rel=1e-5)
    assert torch.allclose(symmetric_product(gram.G, W[0]).double(), G @ W[0].double(), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gram_matrices_stay_near_float64(dtype: torch.dtype) -> None:
    """The stated error: 1e-6 of the largest entry after 32 x 1024 tokens."""
    gram = Gram("site", 300, CPU, measured().narrow)
    exact = torch.zeros(300, 300, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(32):
        X = torch.randn(1024, 300, generator=generator).to(dtype)
        gram.add(X)
        exact += X.double().t() @ X.double()
    difference = (gram.G.double().tril() - exact.tril()).abs().max() / exact.abs().max()
    assert difference < 1e-6
    assert gram.tokens == 32 * 1024


def test_damping_is_raised_by_the_schedule_and_then_refused() -> None:
    gram = Gram("h.0.dense", 2, CPU)
    gram.tokens = 5
    gram.G.copy_(torch.tensor([[1.0, 0.0], [1.05, 1.0]]))
    assert gram.factor(0.01).damping == pytest.approx(0.1)
    gram.G[1, 0] = 30
    with pytest.raises(MbsError, match=r"h\.0\.dense over 5 tokens is not positive definite, even with damping 20"):
        gram.factor(0.02)
    assert not invert_(torch.tensor([[1.0, 0.0], [float("nan"), 1.0]]))


def test_a_refused_matrix_is_named_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbs.compression.gram.invert_", lambda H: False)
    with pytest.raises(
        MbsError, match=r"^block 0, transformer\.h\.0\.\S+: the Gram matrix of transformer\.h\.0\..*over 144 tokens"
    ):
        compressed(random_model("bloom"), SparseGPT(), HALF)
