"""SparseGPT in the published order of operations, for comparison element by element (Frantar and Alistarh, 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from mbs.compression.method import Solution
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured
from mbs.errors import MbsError


def published(W: Tensor, H: Tensor, sparsity: Sparsity, damping: float, block: int) -> Solution:
    """W `[R, C]` pruned with `H = 2/N X X^T` `[C, C]` by the same torch operations as the authors' code.

    Its threshold is that of the authors, too: a block loses every weight whose score is at most the one at position
    `ratio * numel` of the sorted scores, so one more than asked for, and all that tie with it. For n of m the
    block must be a multiple of m. Raises MbsError where H is not positive definite.
    """
    W, H = W.float().clone(), H.clone()
    C = W.shape[1]
    dead = torch.diag(H) == 0
    H[dead, dead] = 1
    W[:, dead] = 0
    every = torch.arange(C, device=W.device)
    H[every, every] += damping * torch.mean(torch.diag(H))
    U = _inverse_factor(H, damping)
    keep = torch.ones_like(W, dtype=torch.bool)
    for start in range(0, C, block):
        end = min(start + block, C)
        part, Q, E = W[:, start:end].clone(), torch.zeros_like(W[:, start:end]), torch.zeros_like(W[:, start:end])
        Up = U[start:end, start:end]
        pruned = torch.zeros_like(part, dtype=torch.bool)
        if isinstance(sparsity, Unstructured):
            score = part**2 / (torch.diag(Up).reshape((1, -1))) ** 2
            threshold = torch.sort(score.flatten())[0][int(score.numel() * float(sparsity.ratio))]
            pruned = score <= threshold
        for i in range(end - start):
            w, d = part[:, i], Up[i, i]
            if isinstance(sparsity, NOfM) and i % sparsity.m == 0:
                group = slice(i, i + sparsity.m)
                score = part[:, group] ** 2 / (torch.diag(Up)[group].reshape((1, -1))) ** 2
                lowest = torch.topk(score, sparsity.m - sparsity.n, dim=1, largest=False)[1]
                pruned.scatter_(1, i + lowest, True)
            q = w.clone()
            q[pruned[:, i]] = 0
            Q[:, i] = q
            error = (w - q) / d
            part[:, i:] -= error.unsqueeze(1).matmul(Up[i, i:].unsqueeze(0))
            E[:, i] = error
        W[:, start:end] = Q
        keep[:, start:end] = ~pruned
        W[:, end:] -= E.matmul(U[start:end, end:])
    return Solution(W, keep, {"damping": damping})


def _inverse_factor(H: Tensor, damping: float) -> Tensor:
    try:
        U: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
        return U
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        raise MbsError(
            f"pruner.exact=true: the Gram matrix is not positive definite with damping {damping:g}",
            "more calibration text; the published algorithm has no other way",
            f"pruner.damping={10 * damping:g}, or pruner.exact=false, which raises the damping by itself",
        ) from error
