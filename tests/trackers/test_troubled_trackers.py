"""A tracker that raises or hangs is one warning, and costs the run nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, tiny_run
from hydra import compose, initialize_config_dir
from runs import QUICK, built, until

from mbs.cli import main as cli
from mbs.cli.config import build
from mbs.cli.paths import config_folder
from mbs.cli.words import with_own_groups
from mbs.run.execute import execute
from mbs.run.log import Log
from mbs.trackers.base import NoTracker, Row, RunInfo
from mbs.trackers.guard import Guarded, hangs


class Failing(NoTracker):
    def log(self, event: Any) -> None:
        raise ConnectionError("gone")


def test_a_failing_tracker_is_one_warning(tmp_path: Path) -> None:
    lines: list[str] = []
    guarded = Guarded(Failing(), lines.append)
    guarded.start(RunInfo("r", "0", tmp_path, {}, []))
    guarded.log({"event": "x"})
    guarded.log({"event": "x"})
    guarded.finish({})
    assert len(lines) == 1
    assert "Failing failed and is left out (ConnectionError: gone)" in lines[0]


def test_a_run_with_a_broken_tracker_is_complete(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("config", with_own_groups(
            [f"model.path={checkpoint}", f"model.shares={checkpoint / 'training.json'}", f"corpus.path={corpus_folder}",
             f"evaluation.path={evaluation_folder}", "tracker=none", f"outputs={tmp_path}", "calibration.segments=6",
             "calibration.length=16"]))  # fmt: skip
    lines: list[str] = []
    said: list[str] = []
    settings = replace(build(config), tracker=Failing())
    log = Log(said.append, lines.append)
    outcome = execute(settings, log)
    assert len(lines) == 1
    assert [line.split(":")[0] for line in said] == ["identify", "sample", "load", "dense", "compress", "score"]
    assert outcome.record
    assert outcome.record["warnings"] == []  # a tracker is no part of the result


class Troubled(NoTracker):
    """A tracker whose every method does something bad."""

    def __init__(self, trouble: Callable[[], None]) -> None:
        self._trouble = trouble

    def start(self, run: RunInfo) -> None:
        self._trouble()

    def log(self, event: Row) -> None:
        self._trouble()

    def finish(self, result: Row) -> None:
        self._trouble()

    def fail(self, hurry: bool = False) -> None:
        self._trouble()


def gone() -> None:
    raise ConnectionError("gone")


@pytest.mark.guard("mbs/trackers/guard.py", "except Exception as error:", "except ZeroDivisionError as error:")
@pytest.mark.parametrize(("trouble", "words"), [
    (gone, "Troubled failed and is left out (ConnectionError: gone)"),
    (lambda: time.sleep(3), "Troubled has not answered for 0.5 s and is left alone"),
])  # fmt: skip
def test_a_run_with_a_tracker_in_trouble_is_complete(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path, monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[], None], words: str
) -> None:  # fmt: skip
    monkeypatch.setattr("mbs.run.pipeline.Guarded", lambda tracker, warn: Guarded(tracker, warn, patience=0.5))
    settings = built([*tiny_run(checkpoint, corpus_folder, evaluation_folder), *QUICK, f"outputs={tmp_path}"])
    lines: list[str] = []
    outcome = execute(replace(settings, tracker=Troubled(trouble)), Log(lambda line: None, lines.append))
    assert lines == [words]
    assert outcome.record
    assert outcome.record["warnings"] == []
    events = [json.loads(line)["event"] for line in (outcome.directory / "metrics.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("started", "finished")
    until(lambda: not hangs())


def test_a_file_of_a_trackers_own_is_no_part_of_the_result(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    settings = built([*tiny_run(checkpoint, corpus_folder, evaluation_folder), *QUICK, f"outputs={tmp_path}"])
    settings = replace(settings, tracker=Writing())
    lines: list[str] = []
    for made in (True, False):
        outcome = execute(settings, Log(lambda line: None, lines.append))
        assert (outcome.made, lines) == (made, [])
    assert (outcome.directory / "events").read_text() == "more\n"


class Writing(NoTracker):
    def start(self, run: RunInfo) -> None:
        self.file = run.directory / "events"
        self.file.touch()

    def finish(self, result: Row) -> None:
        self.file.write_text("more\n")


@pytest.mark.guard("mbs/cli/main.py", "    except SystemExit as ended:", "    except ZeroDivisionError as ended:")
def test_a_tracker_that_hangs_does_not_hold_up_the_end(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("mbs.trackers.guard.hangs", lambda: True)
    monkeypatch.setattr(os, "_exit", ended.append)
    with pytest.raises(SystemExit):
        cli.leave(3)
    assert command(cli.main, ["model.path=nowhere"])[0] == 2
    assert ended == [3, 2]
