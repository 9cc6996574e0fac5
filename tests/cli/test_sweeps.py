"""Sweeps: every job on its own, composed once, and failing alone."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf, open_dict
from runs import QUICK, only

from mbs.cli import sweeps
from mbs.cli.sweeps import composed_once
from mbs.errors import MbsError
from mbs.run import comparison as findings
from mbs.run import pipeline
from mbs.storage.files import config_folder


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


def test_a_sweep_composes_every_job_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[tuple[str, ...]] = []
    original = ConfigLoaderImpl.load_sweep_config

    def counting(self: Any, master_config: Any, sweep_overrides: list[str]) -> Any:
        composed.append(tuple(sweep_overrides))
        return original(self, master_config, sweep_overrides)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counting)
    assert run("-m", "mix=mbs,uniform", "seed=0,1", "languages=[en]", "evaluation.documents=1")[0] == 0
    assert len(composed) == len(set(composed)) == 4
    assert ConfigLoaderImpl.load_sweep_config is counting
    found = [json.loads(file.read_text())["config"] for file in Path("outputs").glob("*/result.json")]
    assert sorted((one["mix"]["name"], one["seed"]) for one in found) == [
        ("mbs", 0), ("mbs", 1), ("uniform", 0), ("uniform", 1)]  # fmt: skip


@pytest.mark.guard("mbs/cli/sweeps.py", "if key not in read:", "if True:")
def test_a_file_edited_while_a_sweep_runs_changes_none_of_its_jobs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Path("own/mix/mine.yaml")
    mine.parent.mkdir(parents=True)
    mine.write_text("_target_: mbs.data.mixes.Single\nlanguage: en\nname: mine\n")
    original = findings.compare_models

    def editing(*given: Any) -> Any:
        mine.write_text(mine.read_text().replace("en", "sw"))
        return original(*given)

    monkeypatch.setattr(pipeline, "compare_models", editing)
    monkeypatch.setattr(sweeps, "WAITING", 0)  # what is composed for the check is forgotten, as in a very long sweep
    words = [*QUICK, f"hydra.searchpath=[file://{Path('own').resolve()}]", "mix=mine"]
    assert run("-m", *words, "seed=1,2")[0] == 0
    found = [json.loads(file.read_text())["config"] for file in Path("outputs").glob("*/result.json")]
    assert sorted((one["seed"], one["mix"]["language"]) for one in found) == [(1, "en"), (2, "en")]
    assert run(*words, "seed=3", "outputs=next")[0] == 0
    assert json.loads((only(Path("next")) / "result.json").read_text())["config"]["mix"]["language"] == "sw"


@pytest.mark.guard("mbs/cli/sweeps.py", "copy.deepcopy(_kept(merged", "(_kept(merged")
def test_what_a_sweep_composes_is_what_hydra_composes() -> None:
    jobs = (
        ["seed=1"],
        ["seed=2", "mix=uniform"],
        ["mix=uniform", "calibration.segments=3", "seed=1"],
        ["mix=uniform", "+mix.anything=1"],
        ["~pruner", "seed=1"],
        ["debug=tiny", "seed=1"],
        ["sparsity=2of4", "~seed"],
        ["seed=1"],
    )

    def composed() -> Iterator[str]:
        for job in jobs:
            config = compose("config", job, return_hydra_config=True)
            yield OmegaConf.to_yaml(config)
            with open_dict(config):
                config.mix.name = config.seed = "changed by the job"

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        plain = list(composed())
        with composed_once():
            assert list(composed()) == plain
            with pytest.raises(ConfigCompositionException, match="mixes"):
                compose("config", ["mix=uniform", "mixes=1"])
    assert len(set(plain)) == len(jobs) - 1


@pytest.mark.guard("mbs/cli/sweeps.py", "return made.pop(key)", "return made[key]")
def test_a_sweep_with_the_same_job_twice_ends(run: Run) -> None:
    code, out, err = run("-m", *QUICK, "seed=7,7,8")
    assert (code, err) == (0, "")
    assert out.count("results in") == 3
    assert out.count("finished before") == 1


@pytest.mark.guard("mbs/cli/main.py", "traceback.clear_frames(found.__traceback__)", "pass")
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
