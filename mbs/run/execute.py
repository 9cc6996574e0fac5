"""One run, unless it stands already or someone else is at it: who it is, and then the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbs.run.environment import reset_peak_memory
from mbs.run.folder import (
    Standing,
    directory_of,
    earlier_runs,
    lock_of,
    made_in,
    standing,
    tidy,
    tidy_unclaimed,
)
from mbs.run.identity import Identity, identify, run_name
from mbs.run.imports import uncollected
from mbs.run.log import Log
from mbs.run.plan import scope
from mbs.run.settings import Settings
from mbs.storage.cache import Store
from mbs.storage.files import make_folder
from mbs.storage.locks import Claimed, Owner, claim
from mbs.storage.record import publish


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its record where there is one now, and who makes it where that is someone else.

    `made` says that it was made now; else it stood already, for all that `changes` names.
    """

    directory: Path
    record: Mapping[str, Any] | None
    made: bool = False
    changes: tuple[str, ...] = ()
    owner: Owner | None = None


def run(settings: Settings, log: Log) -> Outcome:
    """The whole run; raises MbsError with one clear line, before any model is loaded wherever it can be known.

    A run that is finished is not done again (`settings.rerun`), and one that another process is doing is left to it.
    """
    reset_peak_memory()
    with log.stage("identify"):
        about = scope(settings)
        make_folder(settings.outputs)
        store = Store(settings.outputs / ".store", log.mention)
        identity = identify(settings, about, store)
    directory = directory_of(settings.outputs, run_name(settings), identity.id)
    found = _standing(settings, identity, directory, store)
    if found:
        tidy_unclaimed(found.directory, store)
        return Outcome(found.directory, found.record, changes=found.changes)
    try:
        with claim(lock_of(store, identity.id)):
            publish(directory)
            found = _standing(settings, identity, directory, store)  # finished since, by who had the claim
            if found:
                tidy(directory, store)
                return Outcome(found.directory, found.record, changes=found.changes)
            with uncollected():  # what takes long to import is not needed to see that a run is finished
                from mbs.run.pipeline import perform

            for before in earlier_runs(directory, run_name(settings), settings.config, identity, store):
                if before.changes:
                    log.note(f"{', '.join(before.changes)} changed since {before.directory}: a new run")
                break
            record = perform(settings, log, about, identity, directory, store)
            tidy(directory, store)
            return Outcome(directory, record, made=True)
    except Claimed as claimed:
        return Outcome(made_in(settings.outputs, identity.id) or directory, None, owner=claimed.owner)


def _standing(settings: Settings, identity: Identity, directory: Path, store: Store) -> Standing | None:
    """The finished run that stands for this one, if any."""
    name = run_name(settings)

    def earlier() -> Iterator[Standing]:
        return earlier_runs(directory, name, settings.config, identity, store)

    return standing(directory, identity, settings.rerun, store, earlier)
