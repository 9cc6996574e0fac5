"""The run's own record of events, one JSON object per line, written as they happen."""

from __future__ import annotations

import time

from mbs.store import strict_json
from mbs.trackers.base import Row, RunInfo


class JsonlTracker:
    """Writes `metrics.jsonl` in the run's directory; every line is there as soon as its event happened."""

    def start(self, run: RunInfo) -> None:
        """Begin the file anew."""
        self._file = run.directory / "metrics.jsonl"
        self._file.write_text("", encoding="utf-8")
        self._began = time.monotonic()

    def log(self, event: Row) -> None:
        """Append one line with the seconds since the start."""
        line = strict_json({"time": round(time.monotonic() - self._began, 3), **event})
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def finish(self, result: Row) -> None:
        """Append the summary."""
        self.log({"event": "finished", "summary": result["summary"]})

    def fail(self) -> None:
        """Append that there is no result."""
        self.log({"event": "failed"})
