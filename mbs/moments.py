"""What the input of a site looked like: squared feature norms, per language."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Sums over tokens: `sq` is the sum of x_j^2 per feature `[C]` (float64), `tokens` how many tokens were seen."""

    sq: Tensor
    tokens: int

    @property
    def norms(self) -> Tensor:
        """The feature norms `||X_j||_2`, `[C]`, float64."""
        return self.sq.sqrt()


class LanguageMoments:
    """Squared norms of one site per language, added up in float64; they sum to those of the mix."""

    def __init__(self, languages: int, width: int, device: torch.device) -> None:
        self.sq = torch.zeros(languages, width, dtype=torch.float64, device=device)
        self.tokens = [0] * languages

    def add(self, X: Tensor, languages: Tensor) -> None:
        """Add activations `[B, T, C]` of rows in these languages (indices `[B]`)."""
        rows = X.float().square().sum(dim=1, dtype=torch.float64)
        for language in sorted(set(languages.tolist())):  # not index_add_, whose order of sums is not fixed on a GPU
            mine = languages == language
            self.sq[language] += rows[mine].sum(dim=0)
            self.tokens[language] += int(mine.sum()) * X.shape[1]

    def of(self, language: int) -> Moments:
        """The moments of one language."""
        return Moments(self.sq[language], self.tokens[language])

    def mix(self) -> Moments:
        """The moments of all rows together: each language weighs as much as it has tokens."""
        return Moments(self.sq.sum(dim=0), sum(self.tokens))
