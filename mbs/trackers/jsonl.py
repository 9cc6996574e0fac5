"""The run's own record of events, one JSON object per line, written as they happen."""

from __future__ import annotations

import time

from mbs.storage.digests import strict_json
from mbs.storage.files import unwritable
from mbs.trackers.base import Row, RunInfo


class JsonlTracker:
    """Writes `metrics.jsonl` in the run's directory; every line is there as soon as its event happened.

    Each attempt at a run begins with a line `started`; what earlier attempts wrote stays.
    """

    def start(self, run: RunInfo) -> None:
        """Begin the file, or go on after a line that a killed process may have left unfinished."""
        self._file = run.directory / "metrics.jsonl"
        self._began = time.monotonic()
        held = self._file.read_bytes() if self._file.is_file() else b""
        self._lead = "\n" if held and not held.endswith(b"\n") else ""
        self.log({"event": "started", "id": run.id})

    def log(self, event: Row) -> None:
        """Append one line with the seconds since the start."""
        line = strict_json({"time": round(time.monotonic() - self._began, 3), **event})
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{self._lead}{line}\n")
        except OSError as error:
            raise unwritable(self._file, error) from error
        self._lead = ""

    def finish(self, result: Row) -> None:
        """Append the summary."""
        self.log({"event": "finished", "summary": result["summary"]})

    def fail(self, hurry: bool = False) -> None:
        """Append that there is no result."""
        self.log({"event": "failed"})
