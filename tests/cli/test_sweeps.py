"""Sweeps: every job on its own, in one line, and failing alone."""

from __future__ import annotations

import gc
import json
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from runs import QUICK, only

from mbs.errors import MbsError
from mbs.run import pipeline


def test_a_sweep_gives_every_job_its_own_directory(run: Run) -> None:
    code, _, err = run("-m", "mix=english,mbs,uniform", "pruner=wanda,magnitude", "sparsity.ratio=0.5,0.6",
                       "languages=[en,sw]", "evaluation.documents=1")  # fmt: skip
    assert (code, err) == (0, "")
    names = sorted(path.parent.name.rpartition("-")[0] for path in Path("outputs").glob("*/result.json"))
    expected = [f"tiny_bloom-{pruner}-{ratio}-{mix}" for pruner in ("magnitude", "wanda") for ratio in (0.5, 0.6)
                for mix in ("english", "mbs", "uniform")]  # fmt: skip
    assert names == sorted(expected)
    for path in Path("outputs").glob("*/result.json"):
        assert {file.name for file in path.parent.iterdir()} == {
            "result.json", "scores.parquet", "mask.npz", "metrics.jsonl"}  # fmt: skip


def test_every_job_of_a_sweep_is_one_line(run: Run) -> None:
    code, out, err = run("-m", *QUICK, "mix=mbs,uniform", "pruner=wanda", "seed=0,1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    jobs = ["mix=mbs seed=0", "mix=mbs seed=1", "mix=uniform seed=0", "mix=uniform seed=1"]
    for number, (line, varying) in enumerate(zip(lines, jobs, strict=True), start=1):
        expected = rf"{number} of 4: {varying}  mean harm [+-]\d\.\d{{4}}  worst quarter [+-]\d\.\d{{4}}  "
        assert re.fullmatch(expected + r"\d+\.\d s  results in outputs/\S+", line), line


def test_an_experiments_own_lists_count_as_jobs(run: Run) -> None:
    code, out, err = run("-m", "experiment=mixes", "mix=mbs,uniform", "seed=3", *QUICK, "calibration.segments=6",
                         "calibration.length=24")  # fmt: skip
    assert (code, err) == (0, "")
    assert [line.partition("  ")[0] for line in out.splitlines()] == [
        f"{number} of 4: mix={mix} sparsity.ratio={ratio}"
        for number, (mix, ratio) in enumerate([(m, r) for m in ("mbs", "uniform") for r in ("0.5", "0.6")], start=1)
    ]


def test_a_sweep_with_the_same_job_twice_ends(run: Run) -> None:
    code, out, err = run("-m", *QUICK, "seed=7,7,8")
    assert (code, err) == (0, "")
    assert out.count("results in") == 3
    assert out.count("finished before") == 1


@pytest.mark.guard("mbs/cli/main.py", "traceback.clear_frames(cause.__traceback__)", "pass")
def test_a_failing_job_of_a_sweep_keeps_nothing_alive(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[Any]] = []

    def failing(settings: Any, inputs: Any, *_: Any) -> Any:
        gc.collect()
        alive = [one for one in held if one() is not None]
        held.append(weakref.ref(inputs.tokenizer))
        raise MbsError(f"{len(alive)} alive")

    monkeypatch.setattr(pipeline, "compare_models", failing)
    _, _, err = run("-m", *QUICK, "seed=1,2,3")
    assert err.count("0 alive") == 3


def test_a_sweep_goes_on_after_a_failing_job(run: Run) -> None:
    code, _, err = run("-m", "languages=[zz],[en]", "evaluation.documents=1")
    assert code == 2
    assert err.count("mbs: languages: unknown language 'zz'") == 1
    assert json.loads((only() / "result.json").read_text())["languages"].keys() == {"en"}
