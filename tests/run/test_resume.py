"""A run that was stopped goes on where it was, and one process at a time does it."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run, random_model, tiny_run
from runs import QUICK, content, counted, flip, only, started, until

from mbs.cli.clean import leftovers
from mbs.cli.signals import AGAIN
from mbs.compression.compress import compress_model
from mbs.compression.layer_reports import LayerReport
from mbs.compression.method import Pruner
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import Unstructured
from mbs.data.corpora.folder import FolderCorpus
from mbs.data.sampler import sample_segments
from mbs.engine import matmul as products
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.run import pipeline
from mbs.run.comparison import compare_models
from mbs.run.environment import versions
from mbs.run.folder import lock_of, write_started
from mbs.storage.cache import Arrays, Store
from mbs.storage.locks import claim
from mbs.storage.record import read_record
from mbs.trackers.base import Row
from mbs.trackers.jsonl import JsonlTracker


@pytest.mark.guard("mbs/compression/compress.py", "            put_back(block, arrays, dtype)", "            pass")
@pytest.mark.parametrize("pruner", [["pruner=wanda"], ["pruner=sparsegpt"], ["pruner=sparsegpt", "pruner.exact=true"]])
def test_a_stopped_compression_goes_on_after_the_last_finished_block(
    run: Run, monkeypatch: pytest.MonkeyPatch, pruner: list[str]
) -> None:
    run(*QUICK, *pruner, "save=true", "outputs=whole")
    whole = content(only(Path("whole")))
    done: list[str] = []
    counted(monkeypatch, done)
    original = JsonlTracker.log

    def stopping(self: Any, event: Row) -> None:
        original(self, event)
        if event.get("block") == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(JsonlTracker, "log", stopping)
    code, _, err = run(*QUICK, *pruner, "save=true")
    assert (code, err) == (130, f"mbs: stopped; {AGAIN}\n")
    assert done == ["en", "sw", "block 0", "block 1"]
    monkeypatch.setattr(JsonlTracker, "log", original)
    code, _, err = run(*QUICK, *pruner, "save=true")
    assert (code, err) == (0, "mbs: going on: 2 of 3 blocks are finished\n")
    assert done[4:] == ["block 2", "en", "sw"]
    assert content(only()) == whole
    assert not any(Path("outputs/.store/block").iterdir())
    assert not (only() / "run.json").exists()


def test_a_damaged_block_is_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    assert run(*QUICK)[0] == 2
    blocks = sorted(Path("outputs/.store/block").glob("*.stage"))
    assert len(blocks) == 3
    for file in Path("outputs/.store/compressed-text").iterdir():
        file.unlink()
    flip(blocks[1])
    done: list[str] = []
    counted(monkeypatch, done)
    _, _, err = run(*QUICK)
    assert f"{blocks[1]} is damaged" in err
    assert len([name for name in done if name.startswith("block")]) == 1


class Vanishing:
    """Finished blocks of which the second one, and then all, are removed while they are read."""

    def __init__(self, blocks: list[Arrays]) -> None:
        self.blocks: dict[int, Arrays] = dict(enumerate(blocks))
        self.made: list[int] = []

    def has(self, k: int) -> bool:
        return True

    def held(self, k: int) -> Arrays | None:
        if k == 1:
            self.blocks.clear()
        return self.blocks.get(k)

    def stage(self, k: int, make: Callable[[], Arrays]) -> Arrays:
        self.made.append(k)
        return make()


@pytest.mark.guard("mbs/compression/compress.py", "if block.index in self._taken:", "if False:")
@pytest.mark.parametrize("pruner", [Wanda(), SparseGPT()])
def test_blocks_that_vanish_while_they_are_read_are_made_from_dense_weights(
    corpus_folder: Path, tokenizer: Tokenizer, pruner: Pruner
) -> None:
    calibration = sample_segments(FolderCorpus(corpus_folder), {"en": 4, "fr": 2}, tokenizer, 24, 0)

    def made(kept: Any) -> tuple[dict[str, Any], list[LayerReport]]:
        model = random_model("gpt2")
        skeleton = Skeleton(model)
        reports = compress_model(skeleton, MemoryBlocks(skeleton), calibration, pruner, Unstructured(0.5), kept=kept)
        return model.state_dict(), reports

    class Recording(Vanishing):
        def has(self, k: int) -> bool:
            return False

        def stage(self, k: int, make: Callable[[], Arrays]) -> Arrays:
            self.blocks[k] = make()
            return self.blocks[k]

    recording = Recording([])
    weights, reports = made(recording)
    plain, _ = made(None)
    vanishing = Vanishing(list(recording.blocks.values()))
    again, reports_again = made(vanishing)
    assert vanishing.made == [1, 2]
    for name, W in weights.items():
        assert torch.equal(W, again[name])
        assert torch.equal(W, plain[name])
    assert [report.errors for report in reports] == [report.errors for report in reports_again]


@pytest.mark.guard("mbs/run/folder.py", ' - in_use(directory.parent, store, started["id"])', "")
def test_finished_blocks_of_a_run_under_way_stay(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another run of the same compression, nor the same command, nor mbs-clean takes them away."""
    run(*QUICK)
    store = Store(Path("outputs/.store"))
    blocks = [store.root / "block" / f"{name}.stage" for name in "ab"]
    for block in blocks:
        block.write_bytes(b"")
    names = [f"block/{block.name}" for block in blocks]
    own, other = read_record(only()), Path("outputs/other")
    assert own is not None
    write_started(only(), own["id"], {}, names, anew=True)
    write_started(other, "other", {}, names[:1], anew=False)
    with claim(lock_of(store, own["id"])):
        run(*QUICK)
        assert all(block.exists() for block in blocks)
        assert (only() / "run.json").exists()
    with claim(lock_of(store, "other")):
        found = [one for one in leftovers(Path("outputs")) if one.kind == "unfinished"]
        assert [blocks[1] in one.files and blocks[0] not in one.files for one in found] == [True]
        run(*QUICK)
        assert [block.exists() for block in blocks] == [True, False]
        assert not (only() / "run.json").exists()


def test_leftovers_of_every_attempt_are_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    monkeypatch.setattr(pipeline, "versions", lambda: {"as": "on another machine"})
    run(*QUICK)
    assert len(list(Path("outputs/.store/block").iterdir())) == 3
    monkeypatch.setattr(pipeline, "compare_models", compare_models)
    monkeypatch.setattr(pipeline, "versions", versions)
    run(*QUICK)
    assert not any(Path("outputs/.store/block").iterdir())


@pytest.mark.guard("mbs/run/execute.py", "with claim(lock_of(store, identity.id)):", "if True:")
def test_a_run_that_is_being_made_is_left_to_its_maker(
    tmp_path: Path, run: Run, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    maker = started([*tiny_run(checkpoint, corpus_folder, evaluation_folder), *QUICK], tmp_path)
    (lock,) = until(lambda: list(Path("outputs/.store/run").glob("*.owner")))
    assert json.loads(lock.read_text())["pid"] == maker.pid
    until(lambda: list(Path("outputs").glob("*/run.json")))
    maker.send_signal(signal.SIGSTOP)
    try:
        code, out, err = run(*QUICK)
        assert (code, err) == (0, "")
        words = rf"outputs/\S+ is left to process {maker.pid} on \S+, since [-\d]+ [:\d]+, who works on it\n"
        assert re.fullmatch(words, out)
        shutil.copytree(checkpoint, "the_same")
        assert run("model.path=the_same", *QUICK)[1] == out
    finally:
        maker.send_signal(signal.SIGCONT)
    maker.communicate(timeout=120)
    assert maker.returncode == 0
    assert run(*QUICK)[1].splitlines()[-1].startswith("finished before")


@pytest.mark.guard("mbs/run/pipeline.py", "settle(Products.of(", "(Products.of(")
def test_a_later_process_takes_the_products_that_the_first_one_chose(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    here = products.probe(torch.device("cpu"))
    monkeypatch.setattr(products, "_settled", replace(here, bfloat16=not here.bfloat16))
    run(*QUICK)
    monkeypatch.setattr(products, "_settled", None)
    run(*QUICK, "seed=1")
    made = [json.loads(file.read_text()) for file in Path("outputs").glob("*/result.json")]
    assert [one["numerics"]["bfloat16_products"] for one in made] == 2 * [not here.bfloat16]
