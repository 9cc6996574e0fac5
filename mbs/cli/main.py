"""The command `mbs`: Hydra composes a run or a sweep of runs; every job ends in a table or in one line."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mbs.cli.mistakes import guarded
from mbs.cli.paths import config_folder
from mbs.cli.signals import interruptible
from mbs.cli.words import position_in_sweep, with_own_groups
from mbs.errors import MbsError

if TYPE_CHECKING:
    from mbs.run.execute import Outcome


def main() -> None:
    """Entry point of `mbs` and `python -m mbs`."""
    sys.argv = [sys.argv[0], *with_own_groups(sys.argv[1:])]
    try:
        code = guarded(_hydra, sys.argv[1:])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    leave(code)


def leave(code: int) -> None:
    """End the process, also where a tracker that hangs would hold it up."""
    from mbs.trackers.guard import hangs

    if hangs():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


@hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
def _hydra(config: DictConfig) -> None:
    one_job(_run, config)


def one_job(job: Callable[[DictConfig], None], config: DictConfig) -> None:
    """Run one job; in a sweep every failing job prints its line, and the others go on."""
    try:
        with interruptible():
            job(config)
    except Exception as error:
        forget_locals(error)
        if not isinstance(error, MbsError):
            raise
        print(error.line, file=sys.stderr, flush=True)
        if HydraConfig.get().mode is RunMode.RUN:
            sys.exit(2)
        error.reported = True
        raise


def forget_locals(error: BaseException) -> None:
    """Clear the frames of a traceback: Hydra keeps the errors of a sweep, and with them the models of failed jobs."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause and cause not in seen:  # causes can go round in a circle
        seen.append(cause)
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__


def _run(config: DictConfig) -> None:
    from mbs.cli.config import build
    from mbs.run.execute import execute
    from mbs.run.log import Log

    began = time.monotonic()
    outcome = execute(build(config), Log(say=to_terminal(), warn=warn, note=note))
    if HydraConfig.get().mode is RunMode.RUN:
        _show(outcome)
    else:
        print(_job_line(outcome, time.monotonic() - began), flush=True)


def _show(outcome: Outcome) -> None:
    """The tables of a single run, and where its files are."""
    from rich.console import Console

    from mbs.report.table import WIDTH, show

    if outcome.record:
        show(outcome.record, Console(width=max(WIDTH, Console().width)))
    print(_ended(outcome), flush=True)


def _job_line(outcome: Outcome, seconds: float) -> str:
    """One job of a sweep: which it is, what varies, mean and worst-quarter harm, and how it ended."""
    from mbs.report.table import harms

    parts = [position_in_sweep(sys.argv[1:])]
    if outcome.record:
        parts += harms(outcome.record)
    return "  ".join([*parts, f"{seconds:.1f} s" if outcome.made else "", _ended(outcome)]).replace("    ", "  ")


def _ended(outcome: Outcome) -> str:
    """Where the results of a run are, or which process is making them."""
    if outcome.record is None:
        return f"{outcome.directory} is left to {outcome.owner or 'another process'}, who works on it"
    if outcome.made:
        return f"results in {outcome.directory}"
    if outcome.changes:
        return f"finished before, and left as it is though {', '.join(outcome.changes)} changed: {outcome.directory}"
    return f"finished before: results in {outcome.directory} (rerun=always does it again)"


def note(line: str) -> None:
    """Say something about a run where it does not mix with results."""
    print(f"mbs: {line}", file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Print a warning where it does not mix with results."""
    print(f"mbs: warning: {line}", file=sys.stderr, flush=True)


def to_terminal() -> Callable[[str], None]:
    """Print the line of each stage for a person who waits; nothing where stderr is no terminal."""
    if sys.stderr.isatty():
        return lambda line: print(line, file=sys.stderr, flush=True)
    return lambda line: None
