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

import numpy as np
import pytest
import torch
from conftest import Run, random_model, tiny_run
from runs import QUICK, content, counted, flip, only, started, until

from mbs.cli.clean import leftovers
from mbs.cli.signals import AGAIN
from mbs.compression.compress import CompressOptions, compress
from mbs.compression.layer_reports import LayerReport
from mbs.compression.method import Pruner
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import Unstructured
from mbs.data.corpora.folder import FolderCorpus
from mbs.data.sampler import sample_segments
from mbs.engine.matmul import measured
from mbs.engine.model import BlockwiseModel
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.run import pipeline
from mbs.run.comparison import compare_models
from mbs.run.compressed import StoredBlocks
from mbs.run.environment import versions
from mbs.run.folder import RunFolder
from mbs.storage.cache import Arrays, Store
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
    assert not (only() / ".blocks").exists()
    assert not (only() / "run.json").exists()


def test_a_damaged_block_is_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    assert run(*QUICK)[0] == 2
    blocks = sorted(Path("outputs").glob("*/.blocks/block/*.stage"))
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

    def read(self, k: int) -> Arrays | None:
        if k == 1:
            self.blocks.clear()
        return self.blocks.get(k)

    def make_once(self, k: int, make: Callable[[], Arrays]) -> Arrays:
        self.made.append(k)
        return make()


@pytest.mark.guard("mbs/compression/compress.py", "if block.index in self._read:", "if False:")
@pytest.mark.parametrize("pruner", [Wanda(), SparseGPT()])
def test_blocks_that_vanish_while_they_are_read_are_made_from_dense_weights(
    corpus_folder: Path, tokenizer: Tokenizer, pruner: Pruner
) -> None:
    calibration = sample_segments(FolderCorpus(corpus_folder), {"en": 4, "fr": 2}, tokenizer, 24, 0)

    def made(kept: Any) -> tuple[dict[str, Any], list[LayerReport]]:
        model = random_model("gpt2")
        options = CompressOptions(finished=kept)
        reports = compress(BlockwiseModel.of(model), calibration, pruner, Unstructured(0.5), options)
        return model.state_dict(), reports

    class Recording(Vanishing):
        def has(self, k: int) -> bool:
            return False

        def make_once(self, k: int, make: Callable[[], Arrays]) -> Arrays:
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


@pytest.mark.guard("mbs/run/folder.py", "with suppress(Claimed), self.claim():", "if True:")
def test_finished_blocks_of_a_run_under_way_stay(run: Run) -> None:
    """Neither the same command nor mbs-clean takes them away."""
    run(*QUICK)
    store = Store(Path("outputs/.store"))
    record = read_record(only())
    assert record is not None
    folder = RunFolder(only(), record["id"], store)
    folder.start({}, anew=True)
    block = StoredBlocks(folder.blocks, {})
    block.make_once(0, lambda: {"W": np.zeros(1)})
    with folder.claim():
        run(*QUICK)
        assert not [one for one in leftovers(Path("outputs")) if one.kind == "unfinished"]
        assert block.has(0)
        assert (only() / "run.json").exists()
    run(*QUICK)
    assert not (only() / ".blocks").exists()
    assert not (only() / "run.json").exists()


def test_blocks_of_every_attempt_are_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    monkeypatch.setattr(pipeline, "versions", lambda: {"as": "on another machine"})
    run(*QUICK)
    (directory,) = Path("outputs").glob("tiny_bloom-*")
    assert len(list(directory.glob(".blocks/block/*.stage"))) == 3
    monkeypatch.setattr(pipeline, "compare_models", compare_models)
    monkeypatch.setattr(pipeline, "versions", versions)
    run(*QUICK)
    assert not (only() / ".blocks").exists()


@pytest.mark.guard("mbs/run/folder.py", "shutil.rmtree(self.path / BLOCKS, ignore_errors=True)", "pass")
def test_rerun_always_takes_no_block_of_an_earlier_attempt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "compare_models", lambda *_: (_ for _ in ()).throw(MbsError("stopped here")))
    run(*QUICK)
    done: list[str] = []
    counted(monkeypatch, done)
    for _ in range(2):  # the second attempt goes on where the first one was
        run(*QUICK, "rerun=always")
        assert done == ["block 0", "block 1", "block 2", "en", "sw"]


@pytest.mark.guard("mbs/run/execute.py", "with run.folder.claim():", "if True:")
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


@pytest.mark.guard("mbs/run/pipeline.py", "Numerics.of(store.stage(", "measured() or Numerics.of(store.stage(")
def test_a_later_process_takes_the_products_that_the_first_one_chose(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = measured()
    for bfloat16 in (not chosen.bfloat16, chosen.bfloat16):
        monkeypatch.setattr(pipeline, "measured", lambda bfloat16=bfloat16: replace(chosen, bfloat16=bfloat16))
        run(*QUICK, f"seed={int(bfloat16)}")
    results = [json.loads(file.read_text()) for file in Path("outputs").glob("*/result.json")]
    assert [one["numerics"]["bfloat16_products"] for one in results] == 2 * [not chosen.bfloat16]
