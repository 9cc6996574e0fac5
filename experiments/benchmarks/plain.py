"""Plain renderings of the published algorithms, as a yardstick: the model's own blocks, one sequence at a time.

As in the public implementations, every linear has its own hook, its own Gram matrix and its own factorisation, scores
are sorted, columns are updated one by one, and the block runs twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

RATIO, DAMPING, BLOCK = 0.5, 0.01, 128


def magnitude(blocks: list[nn.Module], states: list[Tensor], call: Callable[[int, Tensor], Tensor]) -> None:
    """One sort per matrix."""
    for block in blocks:
        for linear in linears(block):
            W = linear.weight.data
            threshold = torch.sort(W.abs().flatten())[0][int(W.numel() * RATIO)]
            W[W.abs() <= threshold] = 0


def wanda(blocks: list[nn.Module], states: list[Tensor], call: Callable[[int, Tensor], Tensor]) -> None:
    """Norms as a running mean over sequences, one sort per row."""

    def prune(linear: nn.Linear, sq: Tensor) -> None:
        score = linear.weight.data.abs() * sq.sqrt()
        order = torch.sort(score, dim=1, stable=True)[1]
        mask = torch.zeros_like(score, dtype=torch.bool)
        mask.scatter_(1, order[:, : int(score.shape[1] * RATIO)], True)
        linear.weight.data[mask] = 0

    def add(total: Tensor | None, X: Tensor, seen: int) -> Tensor:
        total = torch.zeros(X.shape[1]) if total is None else total
        return total * (seen / (seen + 1)) + torch.norm(X.t(), p=2, dim=1) ** 2 / (seen + 1)

    _block_by_block(blocks, states, call, add, prune)


def sparsegpt(blocks: list[nn.Module], states: list[Tensor], call: Callable[[int, Tensor], Tensor]) -> None:
    """One Gram matrix per linear, Cholesky, inverse, Cholesky, and a loop over columns."""

    def add(total: Tensor | None, X: Tensor, seen: int) -> Tensor:
        total = torch.zeros(X.shape[1], X.shape[1]) if total is None else total
        total *= seen / (seen + 1)
        scaled = math.sqrt(2 / (seen + 1)) * X.t()
        total += scaled.matmul(scaled.t())
        return total

    _block_by_block(blocks, states, call, add, lambda linear, H: _solve(linear.weight.data, H))


def _block_by_block(
    blocks: list[nn.Module],
    states: list[Tensor],
    call: Callable[[int, Tensor], Tensor],
    add: Callable[[Tensor | None, Tensor, int], Tensor],
    prune: Callable[[nn.Linear, Tensor], None],
) -> None:
    for k, block in enumerate(blocks):
        totals: dict[nn.Linear, Tensor] = {}
        for seen, h in enumerate(states):

            def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor, seen: int = seen) -> None:
                assert isinstance(module, nn.Linear)
                totals[module] = add(totals.get(module), args[0].flatten(0, -2), seen)  # noqa: B023 - used at once

            handles = [linear.register_forward_hook(hook) for linear in linears(block)]
            call(k, h)
            for handle in handles:
                handle.remove()
        for linear, total in totals.items():
            prune(linear, total)
        for number, h in enumerate(states):
            states[number] = call(k, h)


def _solve(W: Tensor, H: Tensor) -> None:
    C = W.shape[1]
    H.diagonal().add_(DAMPING * H.diagonal().mean())
    U = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    for b in range(0, C, BLOCK):
        e = min(b + BLOCK, C)
        part, Up = W[:, b:e].clone(), U[b:e, b:e]
        E = torch.zeros_like(part)
        score = part**2 / Up.diagonal() ** 2
        mask = score <= torch.sort(score.flatten())[0][int(score.numel() * RATIO)]
        for i in range(e - b):
            q = part[:, i].clone()
            q[mask[:, i]] = 0
            E[:, i] = (part[:, i] - q) / Up[i, i]
            part[:, i:] -= E[:, i : i + 1].matmul(Up[i : i + 1, i:])
            W[:, b + i] = q
        W[:, e:] -= E.matmul(U[b:e, e:])


def linears(block: nn.Module) -> list[nn.Linear]:
    """All linear layers of a block."""
    return [module for module in block.modules() if isinstance(module, nn.Linear)]
