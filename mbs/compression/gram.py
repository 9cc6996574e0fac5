"""Gram matrices `G = X X^T`: gathered in place, and factored in place into the inverse that pruning needs.

Only the lower triangle is computed and read: of the panel of rows `i..j` the columns `0..j`, in one product. What lies
above the panels stays zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mbs.engine.matmul import DEFAULT, using
from mbs.errors import MbsError

RAISES = 3  # how often the damping is raised tenfold before a matrix is refused
ITERATIONS = 5  # of the power method


@dataclass(frozen=True)
class Factor:
    """`V`, lower triangular, with `(G + damping)^-1 = V V^T`: its transpose is the `U` of SparseGPT and GPTQ.

    `damping` is relative to the mean of the diagonal; `condition` is an estimate, from below, of the damped matrix's.
    """

    V: Tensor
    damping: float
    condition: float


class Gram:
    """The sum of `x x^T` over the tokens of one site, float32 `[C, C]`, added up in place, all languages in one.

    Its entries are off by at most 1e-6 of the largest against float64, over 32 x 1024 tokens (a test holds it to that).
    """

    def __init__(self, name: str, width: int, device: torch.device, narrow: str = DEFAULT) -> None:
        self.name, self.tokens = name, 0
        self.G = torch.zeros(width, width, device=device)
        self._narrow = narrow
        self._factors: dict[float, Factor] = {}

    def add(self, X: Tensor) -> None:
        """Add activations `[T, C]`; numbers that fit bfloat16 have exact products in whatever unit is fastest."""
        self.tokens += len(X)
        with using(self._narrow if X.dtype == torch.bfloat16 else DEFAULT):
            X = X.float()
            for i, j in _panels(X.shape[1]):
                self.G[i:j, :j].addmm_(X[:, i:j].t(), X[:, :j])

    def energy(self, W: Tensor) -> float:
        """`tr(W G W^T)`: the squared norm of all outputs of W `[R, C]`; half of the products suffice."""
        total = 0.0
        for i, j in _panels(W.shape[1]):
            P = torch.addmm(W[:, i:j] @ self.G[i:j, i:j], W[:, :i], self.G[i:j, :i].t(), alpha=2)
            total += P.mul_(W[:, i:j]).sum(dtype=torch.float64).item()
        return total

    def factor(self, damping: float) -> Factor:
        """The inverse factor, made once per damping.

        Features that are never active get 1 on the diagonal, then `damping` times the mean of the diagonal is added,
        as published with SparseGPT. Where that is not positive definite in float32 the damping is raised tenfold, at
        most three times; then MbsError.
        """
        if damping not in self._factors:
            self._factors[damping] = self._factor(damping)
        return self._factors[damping]

    def _factor(self, damping: float) -> Factor:
        diagonal = self.G.diagonal().clone()
        diagonal[diagonal == 0] = 1
        mean = diagonal.mean()
        for raised in range(RAISES + 1):
            tried = damping * 10**raised
            H = torch.zeros_like(self.G)
            for i, j in _panels(len(H)):
                H[i:j, :j] = self.G[i:j, :j]
            H.diagonal().copy_(diagonal + tried * mean)
            largest = _largest_eigenvalue(partial(symmetric_product, H), diagonal)
            if invert_(H):
                inverse = _largest_eigenvalue(partial(_through, H), diagonal)
                return Factor(H, tried, largest * inverse)
        raise MbsError(
            f"the Gram matrix of {self.name} over {self.tokens} tokens is not positive definite, even with damping"
            f" {damping * 10**RAISES:g}",
            f"well over {len(self.G)} tokens of varied text",
            "more calibration.segments",
        )


class PublishedHessian:
    """`H = 2/N sum x x^T` as SparseGPT's code gathers it: a running mean over sequences, one product each."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.H = torch.zeros(width, width, device=device)
        self._sequences = 0

    def add(self, X: Tensor) -> None:
        """Add one sequence `[T, C]`."""
        self.H *= self._sequences / (self._sequences + 1)
        self._sequences += 1
        scaled = math.sqrt(2 / self._sequences) * X.t().float()
        self.H += scaled.matmul(scaled.t())


def invert_(H: Tensor) -> bool:
    """Replace H (lower triangle, positive definite) by lower triangular V with `H^-1 = V V^T`; False where it is not.

    One factorisation `H = L^T L` from the last panel to the first and one triangular inverse `V = L^-1`, `2/3 C^3`
    operations, nearly all in products. The published chain (Cholesky, inverse, Cholesky) takes twice as many.
    """
    parts = list(_panels(len(H)))
    for i, j in reversed(parts):
        M, failed = torch.linalg.cholesky_ex(H[i:j, i:j].t().flip(0, 1))  # reads its lower triangle, so that of H
        if failed or not M.isfinite().all():
            return False
        L = M.flip(0, 1).t().contiguous()
        H[i:j, i:j] = L
        H[i:j, :i] = torch.linalg.solve_triangular(L.t(), H[i:j, :i], upper=True)
        for k, m in parts:
            if m <= i:
                H[k:m, :m].addmm_(H[i:j, k:m].t(), H[i:j, :m], alpha=-1)
    for i, j in parts:
        eye = torch.eye(j - i, dtype=H.dtype, device=H.device)
        inverse = torch.linalg.solve_triangular(H[i:j, i:j], eye, upper=False)
        LV = torch.empty_like(H[i:j, :i])
        for k, m in parts:
            if m <= i:
                torch.mm(H[i:j, k:i], H[k:i, k:m], out=LV[:, k:m])
        torch.mm(inverse, LV, out=H[i:j, :i]).neg_()
        H[i:j, i:j] = inverse
    return True


def symmetric_product(H: Tensor, x: Tensor) -> Tensor:
    """`H x` from the lower triangle."""
    y = torch.zeros_like(x)
    for i, j in _panels(len(H)):
        lower = H[i:j, i:j].tril()
        y[i:j] += H[i:j, :i] @ x[:i] + lower @ x[i:j] + lower.tril(-1).t() @ x[i:j]
        y[:i] += H[i:j, :i].t() @ x[i:j]
    return y


def _through(V: Tensor, x: Tensor) -> Tensor:
    return V @ (V.t() @ x)


def _largest_eigenvalue(product: Callable[[Tensor], Tensor], like: Tensor) -> float:
    """From below, by the power method from a fixed start."""
    x = torch.randn(len(like), generator=torch.Generator().manual_seed(0)).to(like)
    largest = 0.0
    for _ in range(ITERATIONS):
        x = product(x / x.norm())
        largest = float(x.norm())
    return largest


def _panels(width: int) -> Iterator[tuple[int, int]]:
    step = 256 if width <= 2048 else 512
    for start in range(0, width, step):
        yield start, min(start + step, width)
