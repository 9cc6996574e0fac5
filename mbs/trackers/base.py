"""What a tracker is, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Row = Mapping[str, object]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker is told at the start."""

    name: str
    id: str
    directory: Path
    config: Row
    tags: Sequence[str]


class Tracker(Protocol):
    """Receives a run's events as they happen, and its result."""

    def start(self, run: RunInfo) -> None:
        """The run begins."""
        ...

    def log(self, event: Row) -> None:
        """One event: a stage that ended, a block that was pruned, a language that was scored."""
        ...

    def finish(self, result: Row) -> None:
        """The run ended with this result."""
        ...

    def fail(self, hurry: bool = False) -> None:
        """The run ended without a result; with `hurry` the process has to end within seconds."""
        ...


class NoTracker:
    """Tracks nothing: the run's own files are the record."""

    def start(self, run: RunInfo) -> None:
        """Nothing to do."""

    def log(self, event: Row) -> None:
        """Nothing to do."""

    def finish(self, result: Row) -> None:
        """Nothing to do."""

    def fail(self, hurry: bool = False) -> None:
        """Nothing to do."""
