"""What is finished stands; what has changed, or is damaged, is done again; what is added is all that is done."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, tiny_run
from hydra import compose, initialize_config_dir
from runs import QUICK, built, content, counted, cut, flip, only
from safetensors.torch import load_file, save_file

from mbs import pipeline
from mbs.cli import with_own_groups
from mbs.config import build
from mbs.errors import MbsError
from mbs.identity import Identity, identify
from mbs.paths import config_folder
from mbs.rerun import directory_of
from mbs.scope import scope
from mbs.store import Store
from mbs.tokenizer import Tokenizer


@pytest.mark.guard("mbs/rerun.py", 'own is not None and own.record["id"] == identity.id', "False")
def test_a_finished_run_is_not_done_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*QUICK)[0] == 0
    seen = {file: file.stat().st_mtime_ns for file in only().iterdir()}
    monkeypatch.setattr(pipeline, "perform", lambda *_: pytest.fail("done again"))
    code, out, err = run(*QUICK)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"finished before: results in {only()} (rerun=always does it again)"
    assert "mean harm" in out
    code, out, err = run("-m", *QUICK, "rerun=changed,never")
    assert (code, err) == (0, "")
    assert out == 2 * f"finished before: results in {only()} (rerun=always does it again)\n"
    assert {file: file.stat().st_mtime_ns for file in only().iterdir()} == seen


@pytest.mark.guard("mbs/rerun.py", "    if flaw:", "    if False:")
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


def identity_of(tmp_path: Path, words: list[str]) -> Identity:
    settings = built(words)
    return identify(settings, scope(settings), Store(tmp_path / "store"))


@pytest.fixture
def inputs(tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path) -> dict[str, Path]:
    """Copies of model, corpus and evaluation text that a test may change."""
    folders = {"model": checkpoint, "corpus": corpus_folder, "evaluation": evaluation_folder}
    return {name: Path(shutil.copytree(folder, tmp_path / name)) for name, folder in folders.items()}


def keeping_time(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file's content and put its time of modification back; its size stays too."""
    seen, before = file.stat(), file.read_bytes()
    time.sleep(0.02)
    file.write_bytes(change(before))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)


def one_byte(old: bytes) -> Callable[[bytes], bytes]:
    return lambda whole: whole.replace(old, old[:-1] + bytes([old[-1] ^ 1]), 1)


@pytest.mark.guard("mbs/identity.py", '"model": checkpoint_digest(scope.folder, store.digest_of),', "")
def test_whatever_is_read_is_part_of_the_identity(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbs.store.SETTLED", 0)
    monkeypatch.setattr("mbs.store.SMALL", 0)
    words = tiny_run(inputs["model"], inputs["corpus"], inputs["evaluation"])
    found = [identity_of(tmp_path, words)]
    weights = inputs["model"] / "model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in tensors if "query_key_value.weight" in name)

    def flipped(whole: bytes) -> bytes:
        tensors[name].view(-1)[0].neg_()
        save_file(tensors, tmp_path / "flipped", metadata={"format": "pt"})
        return (tmp_path / "flipped").read_bytes()

    text = (inputs["corpus"] / "sw.jsonl").read_bytes()
    letter = re.search(rb'"text": "(..)', text)
    assert letter
    changes: list[Callable[[], None]] = [
        lambda: keeping_time(weights, flipped),
        lambda: keeping_time(inputs["corpus"] / "sw.jsonl", one_byte(letter[0])),
        lambda: keeping_time(inputs["evaluation"] / "en.txt", one_byte(b"a")),
        lambda: keeping_time(inputs["model"] / "tokenizer.json", one_byte(b'"b')),
        lambda: keeping_time(inputs["model"] / "training.json", lambda whole: whole.replace(b"0.15", b"0.16")),
    ]
    for change in changes:
        change()
        found.append(identity_of(tmp_path, words))
    assert len({one.id for one in found}) == len(found)
    named = [found[k + 1].changes({"content": found[k].content, "code": found[k].code}) for k in range(len(changes))]
    assert named == [["model"], ["corpus/sw"], ["evaluation/en"], ["model"], ["shares"]]


def test_an_edited_yaml_is_another_run_and_places_and_trackers_are_not(tmp_path: Path, inputs: dict[str, Path]) -> None:
    words = tiny_run(inputs["model"], inputs["corpus"], inputs["evaluation"])
    first = identity_of(tmp_path, words).id
    moved = {name: folder.rename(tmp_path / f"other-{name}") for name, folder in inputs.items()}
    (tmp_path / "elsewhere").mkdir()
    moved["model"] = moved["model"].rename(tmp_path / "elsewhere" / "model")
    elsewhere = tiny_run(moved["model"], moved["corpus"], moved["evaluation"])
    assert identity_of(tmp_path, [*elsewhere, f"outputs={tmp_path}/o", "rerun=always"]).id == first
    assert identity_of(tmp_path, [*elsewhere[:-1], "tracker=wandb"]).id == first
    assert identity_of(tmp_path, [*elsewhere, "seed=1"]).id != first
    edited = tmp_path / "mine" / "pruner"
    edited.mkdir(parents=True)
    yaml = (config_folder() / "pruner" / "wanda.yaml").read_text()
    ids = []
    for text in (yaml, yaml.replace("variant: false", "variant: true")):
        (edited / "own.yaml").write_text(text)
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            config = compose("config", [*with_own_groups(elsewhere), f"hydra.searchpath=[file://{tmp_path}/mine]",
                                        "pruner=own"])  # fmt: skip
        settings = build(config)
        ids.append(identify(settings, scope(settings), Store(tmp_path / "store")).id)
    assert "variant" in yaml
    assert ids[0] == first != ids[1]


@pytest.mark.guard("mbs/models.py", '"generation_config.json", ', "")
def test_what_decides_more_than_weights_and_text_is_part_of_the_identity(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tiny_run(inputs["model"], inputs["corpus"], inputs["evaluation"])
    found = [identity_of(tmp_path, words)]
    generation = inputs["model"] / "generation_config.json"
    generation.write_text(json.dumps({**json.loads(generation.read_text()), "eos_token_id": 7}))
    found.append(identity_of(tmp_path, words))
    (inputs["corpus"] / "en.txt").rename(inputs["corpus"] / "en.jsonl")
    found.append(identity_of(tmp_path, words))
    (tmp_path / "mine.py").write_text("from mbs.pruners.magnitude import Magnitude as Best\n")
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        found.append(identity_of(tmp_path, [*words, "pruner=none", "pruner._target_=mine.Best"]))
        (tmp_path / "mine.py").write_text("from mbs.pruners.magnitude import Magnitude as Best  # better\n")
    assert len({one.id for one in found}) == len(found)
    assert "code/mine" in found[-1].content


OWN = """
from mbs.pruners.magnitude import Magnitude
class Best(Magnitude):
    @classmethod
    def made(cls, per):
        return cls(per, name="best")
    def solve(self, W, moments, sparsity):
        return super().solve(W, moments, sparsity)
"""


@pytest.mark.guard("mbs/pipeline.py", ', "pruner", "sparsity")', ")")
@pytest.mark.parametrize("target", ["mine.Best", "mine.Best.made"])
def test_an_edited_pruner_of_ones_own_compresses_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    words = [*QUICK, "pruner=magnitude", f"pruner._target_={target}"]
    found = []
    for text in (OWN, OWN.replace("super().solve(W,", "super().solve(-W.abs(),")):
        (tmp_path / "mine.py").write_text(text)
        sys.modules.pop("mine", None)
        code, _, err = run(*words, "save=true")
        assert code == 0, err
        found.append(json.loads(max(Path("outputs").glob("*/result.json"), key=os.path.getctime).read_text()))
    assert "code/mine changed since" in err
    first, second = found
    assert first["identity"]["content"]["code/mine"] != second["identity"]["content"]["code/mine"]
    assert first["languages"]["en"]["dense"] == second["languages"]["en"]["dense"]
    assert first["languages"]["en"]["compressed"] != second["languages"]["en"]["compressed"]


def test_of_the_device_its_kind_is_part_of_the_identity(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tiny_run(inputs["model"], inputs["corpus"], inputs["evaluation"])
    found = []
    for device in ("cpu", "cuda:0", "cuda:1"):
        monkeypatch.setattr("mbs.identity.resolved_device", lambda _, device=device: device)
        found.append(identity_of(tmp_path, words).id)
    assert found[0] != found[1] == found[2]


def test_an_adapter_beside_the_weights_is_refused(run: Run, inputs: dict[str, Path]) -> None:
    (inputs["model"] / "adapter_config.json").write_text("{}")
    code, _, err = run(f"model.path={inputs['model']}", *QUICK)
    assert (code, err.count("\n")) == (2, 1)
    assert "has adapter_config.json" in err


def test_an_error_while_reading_names_the_file(
    run: Run, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(hashlib, "file_digest", failing)
    code, _, err = run(f"model.path={inputs['model']}", *QUICK)
    assert (code, err.count("\n")) == (2, 1)
    assert re.search(r"\S+\.\w+ cannot be read \(Input/output error\)", err)


def test_tokenizers_that_separate_texts_otherwise_draw_other_segments(tokenizer: Tokenizer) -> None:
    other = Tokenizer(copy.deepcopy(tokenizer.hf))
    assert other.digest == tokenizer.digest
    other.hf.eos_token = "<pad>"
    assert Tokenizer(other.hf).digest != tokenizer.digest


def test_an_unreadable_checkpoint_is_one_line(run: Run, inputs: dict[str, Path]) -> None:
    weights = inputs["model"] / "model.safetensors"
    weights.unlink()
    weights.symlink_to("gone")
    code, _, err = run(f"model.path={inputs['model']}", *QUICK)
    assert (code, err) == (2, f"mbs: {weights} cannot be read (No such file or directory); expected a readable file\n")


def test_the_code_is_part_of_the_identity(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tiny_run(inputs["model"], inputs["corpus"], inputs["evaluation"])
    first = identity_of(tmp_path, words)
    monkeypatch.setattr("mbs.identity.versions", lambda: {**first.code, "mbs sources": "edited"})
    later = identity_of(tmp_path, words)
    assert later.id != first.id
    assert later.changes({"content": first.content, "code": first.code}) == ["mbs sources"]


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


@pytest.mark.guard(
    "mbs/record.py", "    make_folder(directory / MADE)\n    return directory / MADE", "    return directory"
)
def test_rerun_always_measures_anew_and_the_old_result_stays_meanwhile(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*QUICK)
    before, inodes = content(only()), inodes_of(only())
    solved: list[str] = []

    def failing(*_: Any) -> Any:
        raise MbsError("stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "write_record", failing)  # the last step: all files are written
        counted(patched, solved)
        assert run(*QUICK, "rerun=always")[0] == 2
        assert solved == ["block 0", "block 1", "block 2", "en", "sw"]
    found, files = content(only())
    files.pop("run.json")
    assert ((found, files), inodes_of(only())) == (before, inodes)
    assert run(*QUICK)[1].splitlines()[-1].startswith("finished before")
    solved.clear()
    counted(monkeypatch, solved)
    assert run(*QUICK, "rerun=always")[0] == 0
    assert content(only()) == before
    assert not inodes_of(only()) & inodes


def inodes_of(directory: Path) -> set[int]:
    return {file.stat().st_ino for file in directory.iterdir() if file.name not in ("metrics.jsonl", "run.json")}


@pytest.mark.guard("mbs/run.py", "            publish(directory)\n", "")
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
    monkeypatch.setattr(pipeline, "perform", lambda *_: pytest.fail("done again"))
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


@pytest.mark.guard("mbs/evaluators/parts.py", "if full or unit ==", "if unit ==")
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


@pytest.mark.guard("mbs/rerun.py", "if found is None or found == run_id:", "if True:")
def test_runs_whose_ids_begin_alike_have_directories_of_their_own(tmp_path: Path) -> None:
    one, other = "a" * 64, "a" * 8 + "b" * 56
    first = directory_of(tmp_path, "m-p-s-x", one)
    assert first.name == "m-p-s-x-aaaaaaaa"
    first.mkdir()
    (first / "run.json").write_text(json.dumps({"id": one, "config": {}, "leftovers": [], "anew": False}))
    assert directory_of(tmp_path, "m-p-s-x", one) == first
    assert directory_of(tmp_path, "m-p-s-x", other).name == "m-p-s-x-aaaaaaaabbbbbbbb"


@pytest.mark.guard("mbs/record.py", "checksum is not None and digest(whole)", "digest(whole)")
@pytest.mark.parametrize("release", sorted(path.name for path in Path(__file__).with_name("outputs").iterdir()))
def test_outputs_of_each_release_are_read(release: str) -> None:
    import mbs

    frame = mbs.runs(Path(__file__).with_name("outputs") / release)
    assert {"harm", "perplexity"} <= {*frame["metric"]}
    assert frame["value"].notna().any()
