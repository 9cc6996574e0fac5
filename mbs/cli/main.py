"""The command `mbs`: Hydra composes the run; mistakes end in one line and exit code 2."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mbs.cli.signals import AGAIN, Interrupted, interruptible
from mbs.cli.sweeps import composed_once
from mbs.errors import MbsError, closest
from mbs.run.imports import uncollected
from mbs.storage.files import config_folder

if TYPE_CHECKING:
    from mbs.run.execute import Outcome

FULL_ERROR = "HYDRA_FULL_ERROR"
OWN_PATH = re.compile(r"\+{0,2}(model|corpus|evaluation)\.(?:path|normalize)=(?!embedded:)")
NUMBER_AS_GROUP = re.compile(r"\+{0,2}sparsity=([\d.:%,]+)$")


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


def with_own_groups(arguments: Sequence[str]) -> list[str]:
    """The words typed, and `model=local` for a `model.path=...` (corpus and evaluation likewise) that has no option.

    The embedded default would otherwise lend its shares to a model that has others.
    """
    matches = [OWN_PATH.match(argument) for argument in arguments]
    named = {match[1] for match in matches if match}
    chosen = {argument.partition("=")[0] for argument in arguments}
    first = next((place for place, match in enumerate(matches) if match), 0)
    added = [f"{group}=local" for group in sorted(named - chosen)]
    return [*arguments[:first], *added, *arguments[first:]]  # beside it: a flag between overrides would end them


def guarded(command: Callable[[], object], arguments: list[str]) -> int:
    """Run a Hydra command, and turn every known mistake into one line; HYDRA_FULL_ERROR=1 asks for the traceback."""
    wants_traceback = os.environ.get(FULL_ERROR) == "1"
    os.environ[FULL_ERROR] = "1"  # Hydra then raises instead of printing its own traceback
    try:
        _check_words(arguments)
        with composed_once():
            command()
    except BrokenPipeError:  # `mbs --help | head`: nobody reads on, so the interpreter's own last flush must not fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return 128 + stopped.signal
    except KeyboardInterrupt:
        print(f"mbs: stopped; {AGAIN}", file=sys.stderr)
        return 130
    except Exception as error:
        if wants_traceback:
            raise
        known = explain(error, arguments)
        if known is None:
            traceback.print_exc()
            print(f"mbs: this is a bug ({type(error).__name__}: {error}); please report it", file=sys.stderr)
            return 1
        if not known.reported:
            print(known.line, file=sys.stderr)
        return 2
    finally:
        if not wants_traceback:
            del os.environ[FULL_ERROR]
    return 0


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
    """Let go of what the frames of a traceback hold: Hydra keeps the errors of a sweep, and models with them."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found and found not in seen:  # causes can go round in a circle
        seen.append(found)
        traceback.clear_frames(found.__traceback__)
        found = found.__cause__ or found.__context__


def _run(config: DictConfig) -> None:
    with uncollected():
        from rich.console import Console

        from mbs.cli.config import build
        from mbs.report.table import WIDTH, show
        from mbs.run.execute import run
        from mbs.run.log import Log

    outcome = run(build(config), Log(say=to_terminal(), warn=warn, note=note))
    one = HydraConfig.get().mode is RunMode.RUN
    if outcome.record and (outcome.made or one):
        show(outcome.record, Console(width=max(WIDTH, Console().width)))
    print(_ended(outcome), flush=True)


def _ended(outcome: Outcome) -> str:
    """The last line of a run: where its results are, or who makes them."""
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
    """Stage lines are for a person who waits: nothing is said where nobody watches."""
    if sys.stderr.isatty():
        return lambda line: print(line, file=sys.stderr, flush=True)
    return lambda line: None


def _check_words(arguments: list[str]) -> None:
    """Words that Hydra cannot read: a group option that looks like a number (YAML reads 2:4 as 124), a bare list."""
    for argument in arguments:
        if re.match(r"languages=[^\[,]+,", argument) and "-m" not in arguments and "--multirun" not in arguments:
            raise MbsError(argument, "a list in brackets", f"'languages=[{argument.partition('=')[2]}]'")
        match = NUMBER_AS_GROUP.match(argument)
        if not match:
            continue
        typed = match[1]
        if ":" in typed:
            remedy = f"sparsity={typed.replace(':', 'of')}"
        else:
            levels = [float(level) for level in re.findall(r"\d+\.?\d*|\.\d+", typed)]
            remedy = "sparsity.ratio=" + ",".join(f"{level / 100 if level >= 1 else level:g}" for level in levels)
        raise MbsError(f"{argument}", "a pattern: unstructured, 2of4, 4of8 or none", remedy)


def explain(error: BaseException, arguments: list[str]) -> MbsError | None:
    """The one-line form of a known mistake, or None for a bug."""
    if isinstance(error, MbsError):
        return error
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file or "").rpartition("/")
        nearest = closest(option, error.options)
        remedy = f"{group}={nearest}" if nearest else f"{group}={error.options[0]}"
        return MbsError(f"unknown {group} '{option}'", f"one of {', '.join(error.options)}", remedy)
    if isinstance(error, OverrideParseException):
        return MbsError(f"cannot read '{error.override}'", "key=value", "quoting it for the shell: 'key=value'")
    if isinstance(error, ConfigCompositionException):
        key = re.search(r"Could not override '([^']+)'", str(error))
        if key:
            nearest = closest(key[1], _keys())
            if nearest == key[1]:
                group = nearest.partition(".")[0]
                return MbsError(
                    f"'{nearest}' is a key of another option of {group} than the one chosen",
                    f"keys of the chosen {group}",
                    f"one command per option of {group}, or without {nearest}",
                )
            return MbsError(f"no key '{key[1]}' in the configuration", "a key of `mbs --cfg job`", nearest)
    if isinstance(error, OSError) and error.filename:
        return MbsError(f"{error.filename}: {error.strerror}", "a file or folder that can be read and written")
    if isinstance(error, HydraException | OmegaConfBaseException):
        return MbsError(str(error).strip().splitlines()[0], "a configuration as `mbs --cfg job` shows it", "mbs --help")
    return None


def _keys() -> list[str]:
    """All keys of the default configuration, dotted."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config"), resolve=False)
    found: list[str] = []

    def collect(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                found.append(f"{prefix}{name}")
                collect(value, f"{prefix}{name}.")

    collect(plain, "")
    return [key for key in found if "_target_" not in key]
