"""Mistakes as one line: what a person did, from the error that it led to, or None where it is a bug."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from mbs.cli.paths import config_folder
from mbs.cli.signals import AGAIN, Interrupted
from mbs.cli.words import check_words
from mbs.errors import MbsError, closest

FULL_ERROR = "HYDRA_FULL_ERROR"


def guarded(command: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run a Hydra command and return its exit code; every known mistake is one line on stderr.

    HYDRA_FULL_ERROR=1 asks for the traceback instead.
    """
    wants_traceback = os.environ.get(FULL_ERROR) == "1"
    os.environ[FULL_ERROR] = "1"  # Hydra then raises instead of printing its own traceback
    try:
        check_words(arguments)
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
        known = explain(error)
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


def explain(error: BaseException) -> MbsError | None:
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
            return _unknown_key(key[1])
    if isinstance(error, OSError) and error.filename:
        return MbsError(f"{error.filename}: {error.strerror}", "a file or folder that can be read and written")
    if isinstance(error, HydraException | OmegaConfBaseException):
        return MbsError(str(error).strip().splitlines()[0], "a configuration as `mbs --cfg job` shows it", "mbs --help")
    return None


def _unknown_key(key: str) -> MbsError:
    nearest = closest(key, _keys())
    if nearest == key:
        group = nearest.partition(".")[0]
        return MbsError(
            f"'{nearest}' is a key of another option of {group} than the one chosen",
            f"keys of the chosen {group}",
            f"one command per option of {group}, or without {nearest}",
        )
    return MbsError(f"no key '{key}' in the configuration", "a key of `mbs --cfg job`", nearest)


def _keys() -> list[str]:
    """All keys of the default configuration, dotted."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config"), resolve=False)
    keys: list[str] = []

    def collect(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                keys.append(f"{prefix}{name}")
                collect(value, f"{prefix}{name}.")

    collect(plain, "")
    return [key for key in keys if "_target_" not in key]
