"""Full disks, trackers in trouble and clocks that jump: one line, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Command, Run, tiny_run
from runs import QUICK, built, content, only, until

from mbs.cli import main as cli
from mbs.engine.save import save_model
from mbs.errors import MbsError
from mbs.run.execute import run as whole_run
from mbs.run.log import Log
from mbs.trackers.base import NoTracker, Row, RunInfo
from mbs.trackers.guard import Guarded, hangs

FULL = r"mbs: no space left for \S+; expected room on that disk; try .*\n"


@pytest.mark.guard("mbs/storage/files.py", "temporary.unlink(missing_ok=True)", "pass")
@pytest.mark.guard("mbs/storage/files.py", "raise unwritable(path, error) from error", "pass")
def test_a_full_disk_is_one_line_at_any_write_and_nothing_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*QUICK, "outputs=whole")
    original, writes = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal writes
        writes -= 1
        if writes < 0:
            raise OSError(28, "No space left on device")
        original(descriptor)

    monkeypatch.setattr("mbs.storage.files.os.fsync", full)
    failed = 0
    for room in (0, 2, 4, 6, 5, 6, 5, 8, 6):  # each attempt finds a little room, and uses it to go on
        writes = room
        code, _, err = run(*QUICK)
        if code == 0:
            break
        failed += 1
        assert code == 2
        assert re.fullmatch(f"(mbs: going on: .*\n)?{FULL}", err)
        assert not list(Path("outputs").glob("tiny_bloom-*/result.json"))
        assert not list(Path("outputs").rglob("*.part"))
    assert failed > 3
    monkeypatch.setattr("mbs.storage.files.os.fsync", original)
    assert run(*QUICK)[0] == 0
    assert content(only()) == content(only(Path("whole")))


def test_a_model_is_saved_whole_or_not_at_all(tmp_path: Path, checkpoint: Path) -> None:
    from safetensors import SafetensorError

    from mbs.engine.checkpoint import open_model, open_tokenizer

    model = open_model(checkpoint)
    tokenizer = open_tokenizer(checkpoint)
    save_model(model, tokenizer, checkpoint, tmp_path / "model", model.dtype)
    before = sorted(file.name for file in (tmp_path / "model").iterdir())

    def full(folder: Path) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model.safetensors").write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    model.save_pretrained = full  # type: ignore[assignment, method-assign]
    with pytest.raises(MbsError, match=r"no space left for .*model; expected room on that disk"):
        save_model(model, tokenizer, checkpoint, tmp_path / "model", model.dtype)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == before


def test_a_small_disk_of_its_own(tmp_path: Path, run: Run) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user cannot mount a disk")
    try:
        code, _, err = run(*QUICK, f"outputs={disk}", "save=true")
        assert code == 2
        assert re.fullmatch(FULL, err)
        assert not list(disk.glob("*/result.json"))
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.guard("mbs/run/log.py", "began = time.monotonic()", "began = time.time()")
def test_a_clock_that_jumps_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*QUICK, "outputs=steady")
    jumps = iter(range(10**9))
    for name, unit in (("time", 1.0), ("time_ns", 10**9)):
        original = getattr(time, name)
        monkeypatch.setattr(time, name, lambda o=original, u=unit: o() + u * (-1) ** next(jumps) * 10**8)
    assert run(*QUICK)[0] == 0
    assert content(only()) == content(only(Path("steady")))
    taken = json.loads((only() / "result.json").read_text())["seconds"].values()
    assert all(0 <= seconds < 1000 for seconds in taken)
    assert "finished before" in run(*QUICK)[1]


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
    outcome = whole_run(replace(settings, tracker=Troubled(trouble)), Log(lambda line: None, lines.append))
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
        outcome = whole_run(settings, Log(lambda line: None, lines.append))
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
