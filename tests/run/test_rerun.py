"""What is finished stands; what has changed, or is damaged, is done again; what is added is all that is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from runs import QUICK, content, counted, cut, flip, only

from mbs.cli.clean import leftovers
from mbs.errors import MbsError
from mbs.run import execute
from mbs.run.folder import RunFolder
from mbs.storage.cache import Store


@pytest.mark.guard(
    "mbs/run/folder.py", 'return record if record and record["id"] == self.run_id else None', "return None"
)
def test_a_finished_run_is_not_done_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*QUICK)[0] == 0
    seen = {file: file.stat().st_mtime_ns for file in only().iterdir()}
    monkeypatch.setattr(execute, "perform", lambda *_: pytest.fail("done again"))
    code, out, err = run(*QUICK)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"finished before: results in {only()} (rerun=always does it again)"
    assert "mean harm" in out
    code, out, err = run("-m", *QUICK, "rerun=changed,never")
    assert (code, err) == (0, "")
    assert [line.partition("finished before")[2] for line in out.splitlines()] == 2 * [
        f": results in {only()} (rerun=always does it again)"
    ]
    assert {file: file.stat().st_mtime_ns for file in only().iterdir()} == seen


@pytest.mark.guard("mbs/run/folder.py", "        if problem:", "        if False:")
@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("result.json", cut, r"result\.json is damaged \(it is not JSON\)"),
        ("result.json", Path.touch, ""),
        ("scores.parquet", flip, r"scores\.parquet is damaged \(its checksum does not hold\)"),
        ("mask.npz", cut, r"mask\.npz is missing or cut off"),
        ("mask.npz", Path.unlink, r"mask\.npz is missing or cut off"),
    ],
)
def test_a_damaged_run_is_done_again(run: Run, name: str, damage: Callable[[Path], None], words: str) -> None:
    run(*QUICK)
    before = content(only())
    damage(only() / name)
    code, out, err = run(*QUICK)
    assert code == 0
    assert re.search(rf"^mbs: warning: outputs/.*{words}; that run does not count as finished$", err, re.M) or not words
    assert ("finished before" in out) == (not words)
    assert content(only()) == before


def test_a_run_without_its_last_write_is_not_finished(run: Run) -> None:
    run(*QUICK)
    before = content(only())
    result = only() / "result.json"
    result.rename(result.with_name(".result.json.abc.part"))
    assert "finished before" not in run(*QUICK)[1]
    assert not (only() / ".result.json.abc.part").exists()
    assert content(only()) == before


def test_what_changed_is_said_and_never_means_never(run: Run, inputs: dict[str, Path]) -> None:
    words = [*QUICK, f"corpus.path={inputs['corpus']}"]
    run(*words)
    first = only()
    file = inputs["corpus"] / "en.txt"
    file.write_text(file.read_text() + "\n\nonemore")
    _, out, err = run(*words, "rerun=never")
    assert (out.splitlines()[-1], err) == (
        f"finished before, and left as it is though corpus/en changed: {first}", ""
    )  # fmt: skip
    _, out, err = run(*words)
    assert err == f"mbs: corpus/en changed since {first}: a new run\n"
    assert len(list(Path("outputs").glob("tiny_bloom-*"))) == 2


@pytest.mark.guard("mbs/run/folder.py", "        return self.path / STAGED\n", "        return self.path\n")
def test_rerun_always_measures_anew_and_the_old_result_stays_meanwhile(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*QUICK)
    before, inodes = content(only()), inodes_of(only())
    solved: list[str] = []

    def failing(*_: Any) -> Any:
        raise MbsError("stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "publish", failing)  # the last step: all files are written
        counted(patched, solved)
        assert run(*QUICK, "rerun=always")[0] == 2
        assert solved == ["block 0", "block 1", "block 2", "en", "sw"]
    found, files = content(only())
    files = {name: digest for name, digest in files.items() if name != "run.json" and ".blocks" not in name}
    assert ((found, files), inodes_of(only())) == (before, inodes)
    assert run(*QUICK)[1].splitlines()[-1].startswith("finished before")
    solved.clear()
    counted(monkeypatch, solved)
    assert run(*QUICK, "rerun=always")[0] == 0
    assert content(only()) == before
    assert not inodes_of(only()) & inodes


def inodes_of(directory: Path) -> set[int]:
    return {
        file.stat().st_ino for file in directory.iterdir() if file.name not in ("metrics.jsonl", "run.json", ".blocks")
    }


@pytest.mark.guard("mbs/run/execute.py", "            run.folder.finish_publishing()\n", "")
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_result_that_was_half_in_its_place_is_put_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    words = [*QUICK, "save=true"]
    run(*words)
    before = content(only())
    replace, done = Path.replace, 0

    def stopping(self: Path, target: Path) -> Path:
        nonlocal done
        if done == moved and ".result.part" in str(self):
            raise KeyboardInterrupt
        done += ".result.part" in str(self)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stopping)
        assert run(*words, "rerun=always")[0] == 130
    assert (only() / ".result.part").is_dir()
    assert not [one for one in leftovers(Path("outputs")) if one.kind == "parts"]
    monkeypatch.setattr(execute, "perform", lambda *_: pytest.fail("done again"))
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("finished before")
    assert content(only()) == before
    assert {file.name for file in only().iterdir()} == {"metrics.jsonl", "result.json", "model", "mask.npz",
                                                        "scores.parquet"}  # fmt: skip


def test_an_unknown_rerun_is_one_line(run: Run) -> None:
    assert run("rerun=sometimes")[2] == (
        "mbs: unknown rerun 'sometimes'; expected one of changed, always, never\n"
    )  # fmt: skip


@pytest.mark.guard("mbs/evaluation/parts.py", "if full or unit ==", "if unit ==")
@pytest.mark.parametrize("save", ["true", "false"])
def test_what_is_added_later_is_all_that_is_scored(run: Run, monkeypatch: pytest.MonkeyPatch, save: str) -> None:
    words = ["mix=english", f"save={save}", "evaluation.continuations=0", "batch_tokens=16"]
    run(*words, "languages=[en,sw]", "evaluation.documents=2", "outputs=later")
    done: list[str] = []
    counted(monkeypatch, done)
    _, _, err = run(*words, "languages=[en,sw,yo]", "evaluation.documents=3", "outputs=later")
    blocks = [] if save == "true" else ["block 0", "block 1", "block 2"]
    assert done == ["en", "sw", "yo", "yo", *blocks, "en", "sw", "yo", "yo"]  # documents 1 and 2 are one part
    first = next(Path("later").glob("*/result.json")).parent
    assert "taking the compressed model from later/" in err if save == "true" else "compressing again" in err
    run(*words, "languages=[en,sw,yo]", "evaluation.documents=3", "outputs=at-once")
    whole = next(Path("at-once").glob("*/result.json")).parent
    assert content(Path("later", whole.name)) == content(whole)
    assert first.name != whole.name or len(list(Path("later").glob("*/result.json"))) == 2


def test_a_saved_model_serves_runs_that_save_less(run: Run) -> None:
    words = ["mix=english", "evaluation.continuations=0", "languages=[en]"]
    run(*words, "save=true", "evaluation.documents=1", "outputs=later")
    _, _, err = run(*words, "evaluation.documents=2", "outputs=later")
    assert "taking the compressed model from later/" in err
    run(*words, "evaluation.documents=2", "outputs=at-once")
    whole = only(Path("at-once"))
    assert content(Path("later", whole.name)) == content(whole)


def test_a_saved_model_that_is_damaged_is_not_used(run: Run) -> None:
    words = ["mix=english", "save=true", "evaluation.continuations=0", "languages=[en]"]
    run(*words, "evaluation.documents=1")
    weights = only() / "model" / "model.safetensors"
    flip(weights)
    _, _, err = run(*words, "evaluation.documents=2")
    assert f"mbs: warning: {weights.parent} is not what was saved there, and is not used" in err
    assert "compressing again" in err


@pytest.mark.guard("mbs/run/folder.py", "if _owner(path) in (None, run_id):", "if True:")
def test_runs_whose_ids_begin_alike_have_directories_of_their_own(tmp_path: Path) -> None:
    one, other = "a" * 64, "a" * 8 + "b" * 56
    store = Store(tmp_path / ".store")
    first = RunFolder.of(tmp_path, "m-p-s-x", one, store)
    assert first.path.name == "m-p-s-x-aaaaaaaa"
    first.start({}, anew=False)
    assert RunFolder.of(tmp_path, "m-p-s-x", one, store) == first
    assert RunFolder.of(tmp_path, "m-p-s-x", other, store).path.name == "m-p-s-x-aaaaaaaabbbbbbbb"
