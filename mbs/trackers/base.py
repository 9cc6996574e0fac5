"""What a tracker is, and the guard that keeps a failing one from failing a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Row = Mapping[str, object]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker is told at the start."""

    name: str
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

    def fail(self) -> None:
        """The run ended without a result."""
        ...


class NoTracker:
    """Tracks nothing: the run's own files are the record."""

    def start(self, run: RunInfo) -> None:
        """Nothing to do."""

    def log(self, event: Row) -> None:
        """Nothing to do."""

    def finish(self, result: Row) -> None:
        """Nothing to do."""

    def fail(self) -> None:
        """Nothing to do."""


class Guarded:
    """A tracker whose first failure is one warning, after which it is left alone."""

    def __init__(self, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self._tracker, self._warn, self._failed = tracker, warn, False

    def start(self, run: RunInfo) -> None:
        """Start the tracker if it can."""
        self._attempt(lambda: self._tracker.start(run))

    def log(self, event: Row) -> None:
        """Pass the event on if the tracker still works."""
        self._attempt(lambda: self._tracker.log(event))

    def finish(self, result: Row) -> None:
        """Pass the result on if the tracker still works."""
        self._attempt(lambda: self._tracker.finish(result))

    def fail(self) -> None:
        """Close the tracker if it still works."""
        self._attempt(self._tracker.fail)

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            self._failed = True
            name = type(self._tracker).__name__
            self._warn(f"{name} failed and is left out ({type(error).__name__}: {' '.join(str(error).split())})")
