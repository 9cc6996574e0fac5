"""`mbs-similarity` from start to end, and its mistakes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, random_model

from mbs.cli import similarity as similarity_cli
from mbs.evaluation.similarity import as_published

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(command: Command, checkpoint: Path, corpus_folder: Path) -> Run:
    """`mbs-similarity` with a tiny model and text."""
    common = [f"model.path={checkpoint}", f"corpus.path={corpus_folder}", "calibration.segments=3",
              "calibration.length=24"]  # fmt: skip
    return lambda *arguments: command(similarity_cli.main, [*common, *arguments])


def found_in(pattern: str = "similarity-tiny_bloom-*") -> tuple[Path, dict[str, Any]]:
    (directory,) = Path("outputs").glob(pattern)
    loaded: dict[str, Any] = json.loads((directory / "similarity.json").read_text())
    return directory, loaded


def test_the_command_from_start_to_end(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    directory, found = found_in()
    assert sorted(file.name for file in directory.iterdir()) == [
        "similarity.csv", "similarity.json", "similarity.png"
    ]  # fmt: skip
    assert found["languages"] == ["en", "zh-Hans", "fr", "sw", "yo"]
    assert found["segments"]["per_language"] == 3
    assert found["config"]["calibration"] == {"segments": 3, "length": 24}
    vectors = {code: np.array(vector) for code, vector in found["vectors"].items()}
    published = found["measures"]["published"]
    assert np.array(published["cosine"]) == pytest.approx(as_published(vectors).cosine)
    assert len(published["merges"]) == 4
    assert (directory / "similarity.png").read_bytes().startswith(b"\x89PNG")
    with (directory / "similarity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 5
    row = next(row for row in rows if (row["measure"], row["language"], row["other"]) == ("standardised", "sw", "yo"))
    assert float(row["cosine"]) == found["measures"]["standardised"]["cosine"][3][4]
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[2:7]] == found["languages"]
    assert max(len(line) for line in lines[:7]) <= 80
    assert lines[-1] == f"results in {directory}"
    assert out.count(" + ") == 8
    assert run()[1] == out


def test_two_languages_have_no_standardised_measure(run: Run) -> None:
    code, out, _ = run("languages=[sw,en]")
    assert code == 0
    assert "two are always opposite" in out
    assert [*found_in()[1]["measures"]] == ["published"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["languages=[en]"], "mbs: one language, en; expected two or more"),
        (["languages=[en,ta]"], "no ta.txt or ta.jsonl"),
        (["calibration.segments=100000"], "which make"),
        (["corpus=local", "corpus.path=null"], "mbs: corpus.path is not set"),
        (["languages=en"], "languages='en'"),
        (["model.pth=x"], "no key 'model.pth'"),
        (["outputs=/dev/null/x"], "mbs: outputs=/dev/null/x"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], message: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_context_is_not_overrun(run: Run, tmp_path: Path, checkpoint: Path) -> None:
    folder = tmp_path / "short"
    random_model("gpt2").save_pretrained(folder)
    for file in checkpoint.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    code, _, err = run(f"model.path={folder}", "calibration.length=129")
    assert (code, err.count("\n")) == (2, 1)
    assert "calibration.length=129, and the model's context is 128 tokens" in err


def test_the_help_says_what_differs(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "segments of EACH language" in out.splitlines()[0]
