"""The guard that keeps a tracker which fails or hangs from failing or holding up a run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from mbs.trackers.base import Row, RunInfo, Tracker

PATIENCE = 60.0  # seconds that the end of a run waits for its tracker
HURRY = 1.0
THREAD = "mbs-tracker"


class Guarded:
    """A tracker that works in a thread of its own; its first failure is one warning, after which it is left alone."""

    def __init__(self, tracker: Tracker, warn: Callable[[str], None], patience: float = PATIENCE) -> None:
        self._tracker, self._warn, self._patience = tracker, warn, patience
        self._actions: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name=THREAD)
        self._failed = False

    def start(self, run: RunInfo) -> None:
        """Start the tracker if it can."""
        self._thread.start()
        self._actions.put(lambda: self._tracker.start(run))

    def log(self, event: Row) -> None:
        """Pass the event on if the tracker still works."""
        self._actions.put(lambda: self._tracker.log(event))

    def finish(self, result: Row) -> None:
        """Pass the result on if the tracker still works, and wait for it a while."""
        self._end(lambda: self._tracker.finish(result), self._patience)

    def fail(self, hurry: bool = False) -> None:
        """Close the tracker if it still works, and wait for it a while."""
        self._end(self._tracker.fail, min(HURRY, self._patience) if hurry else self._patience)

    def _end(self, action: Callable[[], None], patience: float) -> None:
        if self._thread.ident is None:
            return
        self._actions.put(action)
        self._actions.put(None)
        self._thread.join(timeout=patience)
        if self._thread.is_alive():
            self._warn(f"{type(self._tracker).__name__} has not answered for {patience:g} s and is left alone")

    def _work(self) -> None:
        while (action := self._actions.get()) is not None:
            if self._failed:
                continue
            try:
                action()
            except Exception as error:
                self._failed = True
                name = type(self._tracker).__name__
                self._warn(f"{name} failed and is left out ({type(error).__name__}: {' '.join(str(error).split())})")


def hangs() -> bool:
    """Whether a tracker was left alone that has not come back: it would hold up the end of the process."""
    return any(thread.name == THREAD and thread.is_alive() for thread in threading.enumerate())
