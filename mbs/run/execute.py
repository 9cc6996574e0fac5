"""One run, unless it is finished already or another process is making it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbs.errors import MbsError
from mbs.run.context import RunContext
from mbs.run.environment import reset_peak_memory
from mbs.run.folder import RunFolder, directory_of_maker
from mbs.run.identity import identify, run_name, same_configuration
from mbs.run.log import Log
from mbs.run.pipeline import perform
from mbs.run.plan import plan_run
from mbs.run.settings import Settings
from mbs.storage.cache import Store
from mbs.storage.files import make_folder
from mbs.storage.locks import Claimed, Owner
from mbs.storage.record import RESULT, problem_with_files, read_record


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its record if there is one, and the process that is making it if that is another.

    `made` says that the run was made now. Otherwise it was finished before, and `changes` names what has changed since
    (nothing, unless `rerun=never`).
    """

    directory: Path
    record: Mapping[str, Any] | None
    made: bool = False
    changes: tuple[str, ...] = ()
    owner: Owner | None = None

    @property
    def run_id(self) -> str:
        """The identity that the record states, or an empty string."""
        return str((self.record or {}).get("id", ""))


def execute(settings: Settings, log: Log) -> Outcome:
    """The whole run; raises MbsError with one clear line, before any model is loaded wherever it can be known."""
    reset_peak_memory()
    run = prepare(settings, log)
    finished = _finished(run)
    if finished:
        RunFolder(finished.directory, finished.run_id, run.store).clean_unless_claimed()
        return finished
    try:
        with run.folder.claim():
            run.folder.finish_publishing()
            finished = _finished(run)  # it may have been finished since, by the process that had the lock
            if finished is None:
                _say_what_changed(run)
                finished = Outcome(run.folder.path, perform(run), made=True)
            run.folder.clean()
            return finished
    except Claimed as claimed:
        directory = directory_of_maker(settings.outputs, run.identity.id) or run.folder.path
        return Outcome(directory, None, owner=claimed.owner)


def prepare(settings: Settings, log: Log) -> RunContext:
    """Everything that is known of a run before any text is tokenized and any model is loaded."""
    with log.stage("identify"):
        plan = plan_run(settings)
        make_folder(settings.outputs)
        store = Store(settings.outputs / ".store", log.mention)
        identity = identify(settings, plan, store)
    folder = RunFolder.of(settings.outputs, run_name(settings), identity.id, store)
    return RunContext(settings, log, plan, identity, folder, store)


def _finished(run: RunContext) -> Outcome | None:
    """The finished run that makes this one unnecessary, by `rerun`, or None.

    `changed`: one of the same identity. `never`: also the last one of the same configuration, whatever else has
    changed. `always`: none.
    """
    if run.settings.rerun == "always":
        return None
    record = run.folder.finished()
    if record is not None:
        return Outcome(run.folder.path, record)
    return next(_earlier(run), None) if run.settings.rerun == "never" else None


def _earlier(run: RunContext) -> Iterator[Outcome]:
    """Finished runs of the same configuration in other directories, the last one first, with what has changed since."""
    files = run.settings.outputs.glob(f"{run_name(run.settings)}-*/{RESULT}")
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(MbsError):  # a damaged one is no concern of this run
            record = read_record(file.parent)
            if file.parent == run.folder.path or record is None or "identity" not in record:
                continue
            same = same_configuration(record["config"], run.settings.config)
            if same and not problem_with_files(file.parent, record, run.store.digest_of):
                yield Outcome(file.parent, record, changes=tuple(run.identity.changes(record["identity"])))


def _say_what_changed(run: RunContext) -> None:
    last = next(_earlier(run), None)
    if last and last.changes:
        run.log.note(f"{', '.join(last.changes)} changed since {last.directory}: a new run")
