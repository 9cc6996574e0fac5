"""What the input of a site looked like: squared feature norms and means per language, and Gram matrices of the mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mbs.compression.gram import Gram, PublishedHessian

CHUNK = 32  # so many float32 numbers are added up before a sum goes on in float64


@dataclass(frozen=True)
class Moments:
    """Sums over tokens: of x_j^2 (`sq`) and of x_j (`sums`) per feature `[C]`, float64, and how many tokens were seen.

    `sums`, `gram` and `hessian` are there for a pruner that needs them.
    """

    sq: Tensor
    tokens: int
    sums: Tensor | None = None
    gram: Gram | None = None
    hessian: Tensor | None = None

    @property
    def norms(self) -> Tensor:
        """The feature norms `||X_j||_2`, `[C]`, float64."""
        return self.sq.sqrt()

    @property
    def mean(self) -> Tensor:
        """The feature means `[C]`, float64."""
        assert self.sums is not None
        return self.sums / self.tokens


class SiteMoments:
    """The moments of one site, gathered: diagonals per language, Gram matrices of all rows together."""

    def __init__(
        self, needs: frozenset[str], name: str, languages: int, width: int, device: torch.device, narrow: str
    ) -> None:
        self.sq = torch.zeros(languages, width, dtype=torch.float64, device=device)
        self.sums = torch.zeros_like(self.sq) if "mean" in needs else None
        self.tokens = [0] * languages
        self.gram = Gram(name, width, device, narrow) if "gram" in needs else None
        self.hessian = PublishedHessian(width, device) if "hessian" in needs else None

    def add(self, X: Tensor, languages: Sequence[int]) -> None:
        """Add activations `[B, T, C]` of rows in these languages (an index per row)."""
        for x, language in zip(X, languages, strict=True):
            self.sq[language] += column_sums(x.float().square())
            if self.sums is not None:
                self.sums[language] += column_sums(x.float())
            self.tokens[language] += len(x)
            if self.hessian is not None:
                self.hessian.add(x)
        if self.gram is not None:
            self.gram.add(X.flatten(0, 1))

    def of(self, language: int) -> Moments:
        """The diagonals of one language."""
        sums = None if self.sums is None else self.sums[language]
        return Moments(self.sq[language], self.tokens[language], sums)

    def mix(self) -> Moments:
        """The moments of all rows together: each language weighs as much as it has tokens."""
        sums = None if self.sums is None else self.sums.sum(dim=0)
        hessian = None if self.hessian is None else self.hessian.H
        return Moments(self.sq.sum(dim=0), sum(self.tokens), sums, self.gram, hessian)


def column_sums(x: Tensor) -> Tensor:
    """Sums over the rows of `[T, C]`, float64; float32 within a chunk, which is many times faster."""
    whole = len(x) - len(x) % CHUNK
    chunks = x[:whole].view(-1, CHUNK, x.shape[1]).sum(dim=1)
    return torch.cat([chunks, x[whole:]]).sum(dim=0, dtype=torch.float64)
