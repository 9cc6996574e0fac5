"""Mistakes in what a user writes are one line that says what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run, random_model
from runs import one_line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["languages=[en,zz]"], "unknown language 'zz'"),
        (["languages=en"], "expected a list of language codes"),
        (["languages=en,sw"], "try 'languages=[en,sw]'"),
        (["sparsity=2of4", "sparsity.ratio=0.5"], "'sparsity.ratio' is a key of another option of sparsity"),
        (["sparsity=1.2.3"], "expected a pattern"),
        (["sparsity.ratio=62.5"], "try sparsity.ratio=0.625"),
        (["model.device=nonsense"], "model.device=nonsense; expected auto, cpu"),
        (["outputs=/proc/nothing"], "/proc/nothing cannot be written (No such file or directory)"),
        (["evaluation.length=1000000", "model.path=GPT2"], "evaluation.length=1000000, and the model's context is 128"),
        (["mix=mbss"], "unknown mix 'mbss'; expected one of custom, english, mbs, single, uniform; try mix=mbs"),
        (["sparsity=50"], "try sparsity.ratio=0.5"),
        (["sparsity=50,60"], "try sparsity.ratio=0.5,0.6"),
        (["sparsity=0.5"], "try sparsity.ratio=0.5"),
        (["sparsity=2:4"], "try sparsity=2of4"),
        (["sparsity.ratio=1.01"], "expected a number from 0 up to but not including 1"),
        (["sparsity.ratio=50"], "try sparsity.ratio=0.5"),
        (["sparsity.rato=0.5"], "no key 'sparsity.rato' in the configuration"),
        (["+sparsity.rato=0.5"], "unexpected keyword argument 'rato'"),
        (["sparsity=2of4", "sparsity.m=5"], "has 32 inputs, which 5 does not divide"),
        (["model.path=../nowhere"], "model.path names no folder: ../nowhere"),
        (["model.path=nobody/nothing"], "nobody/nothing is no folder here, and the hub does not give it"),
        (["model.path=null"], "model.path is not set"),
        (["model.dtype=int4"], "model.dtype=int4; expected one of auto"),
        (["corpus.path=null"], "pruner=wanda needs calibration text"),
        (["evaluation.path=null"], "evaluation.path is not set"),
        (["model.shares=null"], "mix=mbs needs the model's training shares, and model.shares is not set"),
        (["languages=[en,de]"], "no de.txt or de.jsonl"),
        (["calibration.segments=0"], "calibration.segments=0; expected a whole number of 1 or more"),
        (["calibration.segments=3"], "calibration.segments=3 for 5 languages"),
        (["calibration.length=5000"], "tokens (40 documents"),
        (["mix=custom", "mix.weights={enn: 1}"], "mix.weights: unknown language 'enn'"),
        (["mix=single"], "mix.language: Missing mandatory value"),
        (["save=all"], "save=all; expected false, mask or true"),
        (["nonsense"], "cannot read 'nonsense'"),
        (["evaluation.length=${nowhere}"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    if "model.path=GPT2" in arguments:
        random_model("gpt2").save_pretrained("gpt2")
        arguments = [*arguments[:-1], "model.path=gpt2"]
        capfd.readouterr()
    assert words in one_line(*run(*arguments))


def test_a_yaml_weight_named_no(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "mix").mkdir(parents=True)
    (tmp_path / "mine/mix/mine.yaml").write_text(
        "_target_: mbs.data.mixes.Custom\nweights: {no: 1, en: 2}\nname: mine\n"
    )
    assert "YAML reads the bare words no, off, on and yes" in one_line(
        *run(f"--config-dir={tmp_path}/mine", "mix=mine")
    )
