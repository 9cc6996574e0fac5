"""How much is pruned and in which pattern, with exact counts from the decimal string."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol

from mbs.errors import MbsError


class Sparsity(Protocol):
    """A target: a name for tables, and whether a matrix of a given width can take it."""

    @property
    def name(self) -> str:
        """A short name such as `0.5` or `2of4`."""
        ...

    def check(self, layer: str, width: int) -> None:
        """Raise MbsError if a row of `width` inputs cannot take the pattern."""
        ...


@dataclass(frozen=True)
class Unstructured:
    """Any positions; `ratio` of the weights are pruned, rounded down to whole weights."""

    ratio: float | str = 0.5

    def __post_init__(self) -> None:
        try:
            value = Decimal(str(self.ratio))
        except InvalidOperation:
            raise MbsError(f"sparsity.ratio={self.ratio}", "a number from 0 up to but not including 1") from None
        if value.is_finite() and 0 <= value < 1:
            return
        percent = value.is_finite() and 2 <= value < 100
        remedy = f"sparsity.ratio={value / 100}" if percent else "sparsity.ratio=0.5"
        raise MbsError(f"sparsity.ratio={self.ratio}", "a number from 0 up to but not including 1", remedy)

    @property
    def name(self) -> str:
        """The ratio as typed."""
        return str(self.ratio)

    def count(self, weights: int) -> int:
        """How many of so many weights are pruned: exact, as `int(100 * 0.29)` would be 28."""
        return int(weights * Decimal(str(self.ratio)))

    def check(self, layer: str, width: int) -> None:
        """Every width will do."""


@dataclass(frozen=True)
class NOfM:
    """Of every `m` successive inputs of a row, `n` are kept."""

    n: int
    m: int

    def __post_init__(self) -> None:
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (self.n, self.m))
        if not whole or not 0 < self.n <= self.m:
            raise MbsError(f"sparsity keeps {self.n} of {self.m}", "whole numbers with 0 < n <= m", "sparsity=2of4")

    @property
    def name(self) -> str:
        """Such as `2of4`."""
        return f"{self.n}of{self.m}"

    def check(self, layer: str, width: int) -> None:
        """The width must be a multiple of m."""
        if width % self.m:
            raise MbsError(
                f"sparsity={self.name}: {layer} has {width} inputs, which {self.m} does not divide",
                f"a multiple of {self.m}",
                "sparsity=unstructured",
            )


@dataclass(frozen=True)
class Dense:
    """Nothing is pruned."""

    name: str = "none"

    def check(self, layer: str, width: int) -> None:
        """Every width will do."""
