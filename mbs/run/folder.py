"""Whether a run has to be done: what is finished already stands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbs.errors import MbsError, unknown
from mbs.run.identity import ID, Identity, same_configuration
from mbs.storage.cache import Store
from mbs.storage.digests import strict_json
from mbs.storage.files import PART, write_whole
from mbs.storage.locks import Claimed, claim, is_claimed
from mbs.storage.record import RESULT, STARTED, is_unpublished, missing_file, read_record

RERUNS = ("changed", "always", "never")


@dataclass(frozen=True)
class Standing:
    """A finished run that stands, and what has changed since (nothing, unless rerun=never)."""

    directory: Path
    record: Mapping[str, Any]
    changes: tuple[str, ...] = ()


def check_rerun(rerun: object) -> str:
    """Raise MbsError for a word that is none of the three."""
    if rerun not in RERUNS:
        raise unknown("rerun", str(rerun), RERUNS)
    return str(rerun)


def directory_of(outputs: Path, name: str, run_id: str) -> Path:
    """The run's directory: the name and the start of its id, more of it where another run's begins alike."""
    for digits in (ID, 2 * ID):
        directory = outputs / f"{name}-{run_id[:digits]}"
        found = _id_of(directory)
        if found is None or found == run_id:
            return directory
    return outputs / f"{name}-{run_id}"


def standing(
    directory: Path, identity: Identity, rerun: str, store: Store, earlier: Callable[[], Iterator[Standing]]
) -> Standing | None:
    """The finished run that stands for this one, or None where it is to be done.

    `changed`: one of the same identity. `never`: also the last of the same configuration, whatever else has changed.
    """
    if rerun == "always":
        return None
    own = _sound(directory, store)
    if own is not None and own.record["id"] == identity.id:
        return own
    return next(earlier(), None) if rerun == "never" else None


def earlier_runs(
    directory: Path, name: str, config: Mapping[str, Any], identity: Identity, store: Store
) -> Iterator[Standing]:
    """Finished runs of the same configuration besides `directory`, the last one first, with what has changed since."""
    files = sorted(directory.parent.glob(f"{name}-*/{RESULT}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        with suppress(MbsError):  # a damaged one is no concern of this run
            record = read_record(file.parent)
            if file.parent == directory or record is None or "identity" not in record:
                continue
            if same_configuration(record["config"], config) and not missing_file(file.parent, record, store.digest_of):
                yield Standing(file.parent, record, tuple(identity.changes(record["identity"])))


def write_started(directory: Path, run_id: str, config: Mapping[str, Any], leftovers: list[str], anew: bool) -> None:
    """`run.json`: whose directory it is, what is to be removed when the run is done, whether it is made anew."""
    content = {"id": run_id, "config": config, "leftovers": leftovers, "anew": anew}
    write_whole(directory / STARTED, strict_json(content, indent=1).encode())


def read_started(directory: Path) -> dict[str, Any] | None:
    """The content of `run.json`, or None where there is none, or only a part of one."""
    try:
        found = json.loads((directory / STARTED).read_bytes())
        return found if isinstance(found, dict) and {"id", "config", "leftovers", "anew"} <= found.keys() else None
    except (OSError, ValueError):
        return None


def lock_of(store: Store, run_id: str) -> Path:
    """What the process that makes a run claims."""
    return store.root / "run" / f"{run_id}.lock"


def made_in(outputs: Path, run_id: str) -> Path | None:
    """The directory in which a run is under way: the same content under another name has another one."""
    files = outputs.glob(f"*/{STARTED}")
    return next((file.parent for file in files if (read_started(file.parent) or {}).get("id") == run_id), None)


def in_use(outputs: Path, store: Store, but: str = "") -> set[str]:
    """The files in the store that runs under way go on from, besides the run `but`."""
    used: set[str] = set()
    for file in outputs.glob(f"*/{STARTED}"):
        started = read_started(file.parent)
        if started and started["id"] != but and is_claimed(lock_of(store, started["id"])):
            used |= set(started["leftovers"])
    return used


def tidy(directory: Path, store: Store) -> None:
    """Remove what a run needed on its way and no other does; the caller has claimed the run.

    `run.json` goes last, so that a killed clean-up is done again.
    """
    started = read_started(directory)
    if started is None:
        return
    for name in set(started["leftovers"]) - in_use(directory.parent, store, started["id"]):
        (store.root / name).unlink(missing_ok=True)
    for part in directory.glob(f".*{PART}"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    (directory / STARTED).unlink(missing_ok=True)


def tidy_unclaimed(directory: Path, store: Store) -> None:
    """Tidy a finished run that was killed at its very end, unless someone is at it."""
    started = read_started(directory)
    if started:
        with suppress(Claimed), claim(lock_of(store, started["id"])):
            tidy(directory, store)


def _sound(directory: Path, store: Store) -> Standing | None:
    """The finished run in a directory, or None, with a warning where there is a damaged one."""
    if is_unpublished(directory):
        return None
    try:
        record = read_record(directory)
        flaw = missing_file(directory, record, store.digest_of) if record else None
    except MbsError as error:
        flaw, record = error.found, {}
    if record is None:
        return None
    if flaw:
        store.warn(f"{flaw}; that run does not count as finished")
        return None
    return Standing(directory, record)


def _id_of(directory: Path) -> str | None:
    started = read_started(directory)
    if started:
        return str(started["id"])
    try:
        record = read_record(directory)
    except MbsError:
        return None
    return str(record["id"]) if record else None
