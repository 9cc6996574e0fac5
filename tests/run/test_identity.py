"""Whatever decides a number is part of a run's identity, and nothing else is."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, tiny_run
from hydra import compose, initialize_config_dir
from runs import QUICK, built
from safetensors.torch import load_file, save_file

from mbs.cli.config import build
from mbs.cli.paths import config_folder
from mbs.cli.words import with_own_groups
from mbs.engine.tokenizer import Tokenizer
from mbs.run.identity import Identity, identify
from mbs.run.plan import plan_run
from mbs.storage.cache import Store


def identity_of(tmp_path: Path, words: list[str]) -> Identity:
    settings = built(words)
    return identify(settings, plan_run(settings), Store(tmp_path / "store"))


def keeping_time(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file's content and put its time of modification back; its size stays too."""
    seen, before = file.stat(), file.read_bytes()
    time.sleep(0.02)
    file.write_bytes(change(before))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)


def one_byte(old: bytes) -> Callable[[bytes], bytes]:
    return lambda whole: whole.replace(old, old[:-1] + bytes([old[-1] ^ 1]), 1)


@pytest.mark.guard("mbs/run/identity.py", '"model": checkpoint_digest(plan.folder, store.digest_of),', "")
def test_whatever_is_read_is_part_of_the_identity(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbs.storage.cache.SETTLED", 0)
    monkeypatch.setattr("mbs.storage.cache.SMALL", 0)
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
        ids.append(identify(settings, plan_run(settings), Store(tmp_path / "store")).id)
    assert "variant" in yaml
    assert ids[0] == first != ids[1]


@pytest.mark.guard("mbs/engine/checkpoint.py", '"generation_config.json", ', "")
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
    (tmp_path / "mine.py").write_text("from mbs.compression.pruners.magnitude import Magnitude as Best\n")
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        found.append(identity_of(tmp_path, [*words, "pruner=none", "pruner._target_=mine.Best"]))
        (tmp_path / "mine.py").write_text("from mbs.compression.pruners.magnitude import Magnitude as Best  # better\n")
    assert len({one.id for one in found}) == len(found)
    assert "code/mine" in found[-1].content


OWN = """
from mbs.compression.pruners.magnitude import Magnitude
class Best(Magnitude):
    @classmethod
    def made(cls, per):
        return cls(per, name="best")
    def solve(self, W, moments, sparsity):
        return super().solve(W, moments, sparsity)
"""


@pytest.mark.guard("mbs/run/pipeline.py", ', "pruner", "sparsity")', ")")
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
        monkeypatch.setattr("mbs.run.identity.resolved_device", lambda _, device=device: device)
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
    monkeypatch.setattr("mbs.run.identity.versions", lambda: {**first.code, "mbs sources": "edited"})
    later = identity_of(tmp_path, words)
    assert later.id != first.id
    assert later.changes({"content": first.content, "code": first.code}) == ["mbs sources"]
