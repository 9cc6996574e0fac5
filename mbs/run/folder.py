"""The directory of one run: who works in it, what of it is finished, and how a result gets there whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbs.errors import MbsError
from mbs.storage.cache import Store
from mbs.storage.digests import strict_json
from mbs.storage.files import PART, make_folder, sync_folder, unwritable, write_whole
from mbs.storage.locks import Claimed, claim
from mbs.storage.record import RESULT, problem_with_files, read_record, seal

STARTED = "run.json"  # there from the start of a run until it has been cleaned up
STAGED = f".result{PART}"  # where the files of a result are until all of them are written
BLOCKS = ".blocks"  # finished blocks, which a stopped compression goes on from
DIGITS = 8  # hexadecimal digits of the id in a directory's name


@dataclass(frozen=True)
class RunFolder:
    """One run's directory, below the output folder of its store.

    `run.json` marks a run that was started and not cleaned up: its id, its configuration, and whether it measures
    everything anew. Files of a result are written to a staging folder and moved into place together, `result.json`
    last, so that an earlier result stays until a new one is whole.
    """

    path: Path
    run_id: str
    store: Store

    @classmethod
    def of(cls, outputs: Path, name: str, run_id: str, store: Store) -> RunFolder:
        """The directory for an id: the name and the start of the id, more of it where another run's begins alike."""
        for digits in (DIGITS, 2 * DIGITS, len(run_id)):
            path = outputs / f"{name}-{run_id[:digits]}"
            if _owner(path) in (None, run_id):
                break
        return cls(path, run_id, store)

    @property
    def lock(self) -> Path:
        """The file that the process which makes the run has locked."""
        return lock_of(self.store, self.run_id)

    def claim(self) -> AbstractContextManager[None]:
        """The lock, for as long as the context lasts; raises Claimed where another process makes the run."""
        return claim(self.lock)

    def finished(self) -> Mapping[str, Any] | None:
        """The result of this run, or None, with a warning where there is one that is damaged."""
        if self._is_staged():
            return None
        try:
            record = read_record(self.path)
            problem = problem_with_files(self.path, record, self.store.digest_of) if record else None
        except MbsError as error:
            record, problem = None, error.found
        if problem:
            self.store.warn(f"{problem}; that run does not count as finished")
            return None
        return record if record and record["id"] == self.run_id else None

    def start(self, config: Mapping[str, Any], anew: bool) -> None:
        """Mark the run as started; `anew` drops the finished blocks, unless an earlier attempt was anew already."""
        make_folder(self.path)
        before = read_started(self.path)
        if anew and not (before and before["anew"]):
            shutil.rmtree(self.path / BLOCKS, ignore_errors=True)
        content = {"id": self.run_id, "config": config, "anew": anew}
        write_whole(self.path / STARTED, strict_json(content, indent=1).encode())

    @property
    def blocks(self) -> Store:
        """Where finished blocks are kept until the run is done."""
        return Store(self.path / BLOCKS, self.store.warn)

    def stage(self) -> Path:
        """An empty folder for the files of a new result."""
        self.discard()
        make_folder(self.path / STAGED)
        return self.path / STAGED

    def publish(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Seal the staged files with `result.json`, move them into place, and return what `result.json` holds."""
        staged = self.path / STAGED
        whole = seal(content, staged)
        write_whole(staged / RESULT, (strict_json(whole, indent=1) + "\n").encode())
        self.finish_publishing()
        return whole

    def finish_publishing(self) -> None:
        """Move a whole staged result into place, from wherever a killed process stopped; the caller has the lock."""
        if not self._is_staged():
            return
        staged = self.path / STAGED
        try:
            for file in sorted(staged.iterdir(), key=lambda file: file.name == RESULT):
                target = self.path / file.name
                if target.is_dir():
                    shutil.rmtree(target)
                file.replace(target)
            staged.rmdir()
            sync_folder(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def discard(self) -> None:
        """Drop a staged result that is not whole."""
        if not self._is_staged():
            shutil.rmtree(self.path / STAGED, ignore_errors=True)

    def clean(self) -> None:
        """Remove what the run needed on its way; the caller has the lock. `run.json` goes last, as the mark."""
        if read_started(self.path) is None:
            return
        for path in (self.path / BLOCKS, *self.path.glob(f".*{PART}")):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        (self.path / STARTED).unlink(missing_ok=True)

    def clean_unless_claimed(self) -> None:
        """Clean up after a process that was killed between its result and its own clean-up."""
        if read_started(self.path) is not None:
            with suppress(Claimed), self.claim():
                self.clean()

    def _is_staged(self) -> bool:
        return is_staged(self.path)


def lock_of(store: Store, run_id: str) -> Path:
    """The file that the process which makes the run with this id has locked."""
    return store.root / "run" / f"{run_id}.lock"


def is_staged(path: Path) -> bool:
    """Whether a whole result waits in a directory to be moved into place."""
    return (path / STAGED / RESULT).exists()


def read_started(path: Path) -> dict[str, Any] | None:
    """The content of a directory's `run.json`, or None where there is none, or not the whole of one."""
    try:
        content = json.loads((path / STARTED).read_bytes())
        return content if isinstance(content, dict) and {"id", "config", "anew"} <= content.keys() else None
    except (OSError, ValueError):
        return None


def directory_of_maker(outputs: Path, run_id: str) -> Path | None:
    """The directory in which the run of an id is being made: the same content under another name has another one."""
    files = outputs.glob(f"*/{STARTED}")
    return next((file.parent for file in files if (read_started(file.parent) or {}).get("id") == run_id), None)


def _owner(path: Path) -> str | None:
    """The id of the run that a directory belongs to, or None."""
    started = read_started(path)
    if started:
        return str(started["id"])
    with suppress(MbsError):
        record = read_record(path)
        return str(record["id"]) if record else None
    return None
