"""`mbs-clean` shows and frees what is no result, and nothing that anyone works on."""

from __future__ import annotations

import signal
import uuid
from pathlib import Path

import pytest
from conftest import Command, Run, tiny_run
from runs import QUICK, content, only, started, until

from mbs.cli import clean
from mbs.errors import MbsError
from mbs.run import pipeline


def cleaned(command: Command, *words: str) -> list[str]:
    code, out, err = command(clean.main, list(words))
    assert (code, err) == (0, "")
    return out.splitlines()


def test_clean_shows_and_frees_what_is_no_result(run: Run, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*QUICK)
    done = content(only())
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    run(*QUICK, "seed=1")
    (Path("outputs") / f".x.{uuid.uuid4().hex}.part").write_bytes(b"half")
    lines = cleaned(command)
    kinds = [line.split()[0] for line in lines[:-1]]
    assert kinds.count("unfinished") == kinds.count("parts") == 1
    assert "(3 blocks finished)" in lines[0]
    assert lines[-1].endswith("can be freed: mbs-clean outputs --free unfinished parts store")
    assert lines == cleaned(command)
    freed = cleaned(command, "outputs", "--free", "unfinished", "parts", "store")
    assert all(line.endswith("freed") for line in freed[:-1])
    assert cleaned(command) == ["nothing to free in outputs"]
    assert content(only()) == done
    line = "mbs: nowhere is no folder; expected a folder of runs; try mbs-clean outputs\n"
    assert command(clean.main, ["nowhere"]) == (2, "", line)


@pytest.mark.guard(
    "mbs/cli/clean.py",
    "        if started is None:  # someone else's\n            continue\n",
    "        started = started or {'id': ''}\n",
)
def test_clean_leaves_what_is_not_of_a_run(command: Command) -> None:
    for name in ("project/run.json", "project/code.py", "downloads/.film.part", "downloads/.result.part"):
        file = Path(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text('{"name": "x"}')
    assert cleaned(command, ".", "--free", "unfinished", "parts", "store") == ["nothing to free in ."]
    assert sum(path.is_file() for path in Path().rglob("*")) == 4


def test_clean_leaves_a_run_that_is_being_made(
    tmp_path: Path, command: Command, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    maker = started([*tiny_run(checkpoint, corpus_folder, evaluation_folder), *QUICK], tmp_path)
    until(lambda: list(Path("outputs").glob("*/run.json")))
    maker.send_signal(signal.SIGSTOP)
    try:
        code, out, _ = command(clean.main, ["outputs", "--free", "unfinished", "parts"])
        assert code == 0
        assert f"is being made by process {maker.pid} on " in out
        code, _, err = command(clean.main, ["outputs", "--free", "store"])
        assert (code, err.split(";")[0]) == (2, "mbs: runs in outputs are being made, and use the store")
    finally:
        maker.send_signal(signal.SIGCONT)
    maker.communicate(timeout=120)
    assert maker.returncode == 0
