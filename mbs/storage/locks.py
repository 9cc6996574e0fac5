"""One writer at a time: a claim that its owner loses by dying, whatever it died of.

The claim is a lock that the kernel holds for the process (flock), so that no clock and no list of processes decides
whether an owner still lives. Beside it lies who owns it, for messages. Where a file system has no flock, filelock
falls back to lock files with the owner's process number.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mbs.storage.files import unwritable

PATIENCE = 2.0  # seconds of waiting before it is said who is waited for
POLL = 0.05
TRY = 0.2  # seconds: one look by mbs-clean at a claim is no owner


@dataclass(frozen=True)
class Owner:
    """Who works on something: host, process, and since when by that host's clock."""

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Claimed(Exception):  # noqa: N818 - not an error: someone else does the work
    """Someone else owns the claim; `owner` says who, where that is known."""

    def __init__(self, owner: Owner | None) -> None:
        super().__init__(str(owner or "another process"))
        self.owner = owner


@contextmanager
def claim(file: Path, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Own `file` for a while.

    Raises Claimed at once where someone else owns it; with `wait`, waits instead until the owner is done or dead, and
    says whom it waits for after two seconds.
    """
    lock = FileLock(file, is_singleton=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, file, wait)
    except OSError as error:
        raise unwritable(file, error) from error
    try:
        with suppress(OSError):  # it is there for messages alone
            _owner_file(file).write_text(json.dumps(asdict(_self())), encoding="utf-8")
        yield
    finally:
        for name in (_owner_file(file), file):  # while it is still ours: who waits sees that the file is gone
            with suppress(OSError):
                name.unlink()
        lock.release()


def owner_of(file: Path) -> Owner | None:
    """Who owns a claim or owned it last, or None."""
    try:
        return Owner(**json.loads(_owner_file(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_claimed(file: Path) -> bool:
    """Whether a living process owns the claim."""
    if not file.exists():
        return False
    lock = FileLock(file, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _acquire(lock: FileLock, file: Path, wait: Callable[[str], None] | None) -> None:
    try:
        lock.acquire(timeout=PATIENCE if wait else TRY, poll_interval=POLL)
        return
    except Timeout:
        if wait is None:
            raise Claimed(owner_of(file)) from None
    wait(f"waiting for {owner_of(file) or 'another process'}, who works on the same {file.parent.name}")
    lock.acquire(poll_interval=10 * POLL)


def _owner_file(file: Path) -> Path:
    return file.with_suffix(".owner")


def _self() -> Owner:
    return Owner(socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"))
