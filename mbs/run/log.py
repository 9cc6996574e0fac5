"""Where a run speaks, and what of it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mbs.trackers.base import Tracker


class Log:
    """Where a run speaks: stage lines, warnings (kept for the result), notes, trackers, seconds per stage."""

    def __init__(
        self, say: Callable[[str], None], warn: Callable[[str], None], note: Callable[[str], None] = lambda line: None
    ) -> None:
        self.say, self._warn, self.note = say, warn, note
        self.warnings: list[str] = []
        self._mentioned: set[str] = set()
        self.seconds: dict[str, float] = {}
        self.trackers: list[Tracker] = []

    def warn(self, line: str) -> None:
        """Print a warning about the run itself, and keep it."""
        self.warnings.append(line)
        self._warn(line)

    def mention(self, line: str) -> None:
        """Print a warning about this attempt alone, once: who is waited for, what was damaged, which tracker failed."""
        if line not in self._mentioned:
            self._mentioned.add(line)
            self._warn(line)

    def event(self, **event: object) -> None:
        """Tell every tracker."""
        for tracker in self.trackers:
            tracker.log(event)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and say when it ends."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 3)
        self.say(f"{name}: {self.seconds[name]:.1f} s")
        self.event(event="stage", stage=name, seconds=self.seconds[name])
