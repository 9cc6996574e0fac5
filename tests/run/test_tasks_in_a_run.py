"""Tasks beside perplexity or alone in a whole run, and what cannot be evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import Run, invented
from runs import folder_of, result_of

from mbs.evaluation.tasks.harness import score_tasks


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """XNLI rows in three languages."""
    folder = tmp_path / "rows" / "xnli"
    folder.mkdir(parents=True)
    for language in ("en", "sw", "yo"):
        made = [
            {"premise": invented(language, 6, seed), "hypothesis": invented(language, 4, seed + 50), "label": seed % 3}
            for seed in range(9)
        ]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in made)
        (folder / f"{language}.validation.jsonl").write_text(lines, encoding="utf-8")
    return folder.parent


def test_tasks_and_perplexity_in_one_run(bare_run: Run, rows: Path, evaluation_folder: Path) -> None:
    code, out, err = bare_run("evaluation=xnli", f"evaluation.path={evaluation_folder}",
                              f"evaluation.tasks.path={rows}", "evaluation.tasks.limit=7",
                              "evaluation.continuations=2", "evaluation.parallel=true",
                              "languages=[en,sw,fr]")  # fmt: skip
    assert code == 0
    assert err == ("mbs: warning: none of the tasks has: fr\n")
    found, folder = result_of(), folder_of()
    assert list(found["languages"]) == ["en", "fr", "sw"]
    assert list(found["tasks"]["xnli"]) == ["en", "sw"]
    assert "xnli" in out.split()
    task = found["tasks"]["xnli"]["sw"]
    assert task["n"] == 7
    table = pq.read_table(folder / "answers.parquet").to_pylist()
    mine = [row for row in table if row["language"] == "sw"]
    assert [row["gold"] for row in mine] == [0, 1, 2, 0, 1, 2, 0]
    for model in ("dense", "compressed"):
        right = [int(np.argmax(row[f"loglik_{model}"])) == row["gold"] for row in mine]
        assert right == [row[f"correct_{model}"] for row in mine]
        assert task[f"accuracy_{model}"] == pytest.approx(np.mean(right))
    assert found["content"]["tasks"].keys() == {"xnli/en", "xnli/sw"}
    written = [json.loads(line) for line in (folder / "continuations.jsonl").read_text().splitlines()]
    assert {row["language"] for row in written} <= {"en", "fr", "sw"}
    assert {"prompt", "reference", "dense", "compressed", "document"} <= written[0].keys()
    assert found["continuations"].keys() == {row["language"] for row in written}
    scores = pq.read_table(folder / "scores.parquet").to_pydict()
    assert sum(scores["divergence_tokens"]) == sum(row["divergence_tokens"] for row in found["languages"].values())
    of_sw = [k for k, language in enumerate(scores["language"]) if language == "sw"]
    mean = sum(scores["divergence"][k] for k in of_sw) / sum(scores["divergence_tokens"][k] for k in of_sw)
    assert mean == pytest.approx(found["languages"]["sw"]["divergence"])
    assert found["tokenization"]["sw"]["premium"] > 0
    assert found["similarity"].keys() == found["languages"].keys()
    assert found["groups"]["script"].keys() == {"Latn"}
    assert found["summary"]["parallel"] is True


def test_tasks_alone_and_the_dense_answers_are_made_once(
    bare_run: Run, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mbs.run import scores as measure

    asked: list[list[str]] = []
    original = score_tasks

    def counting(model: Any, tasks: Any, *rest: Any) -> Any:
        asked.append([task.language for task in tasks])
        return original(model, tasks, *rest)

    monkeypatch.setattr(measure, "score_tasks", counting)
    code, out, err = bare_run("evaluation=xnli", f"evaluation.tasks.path={rows}", "languages=[en,sw]")
    assert (code, err) == (0, "")
    assert "mean harm" not in out
    found, folder = result_of(), folder_of()
    assert (found["summary"], found["languages"]) == (None, {})
    assert not (folder / "scores.parquet").exists()
    assert bare_run("evaluation=xnli", f"evaluation.tasks.path={rows}", "languages=[en,yo]", "mix=uniform")[0] == 0
    assert asked == [["en"], ["sw"], ["en"], ["sw"], ["yo"], ["en"], ["yo"]]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["languages=[en,fr]"], "nothing is measured in fr: no task of xnli has it"),
        (["evaluation.tasks.names=[xnly]"], "evaluation.tasks.names 'xnly'"),
        (["evaluation.tasks.names=[xcopa]"], "xcopa"),
        (["evaluation.tasks.limit=0"], "evaluation.tasks.limit=0"),
        (["evaluation.tasks.path=nowhere"], "evaluation.tasks.path"),
        (["evaluation.continuations=-1"], "evaluation.continuations=-1"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(bare_run: Run, rows: Path, words: list[str], line: str) -> None:
    code, out, err = bare_run("evaluation=xnli", f"evaluation.tasks.path={rows}", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert line in err


def test_neither_text_nor_tasks_is_one_line(bare_run: Run) -> None:
    code, _, err = bare_run("evaluation=local")
    assert code == 2
    assert "try evaluation.path=FOLDER or evaluation=xnli" in err


def test_generated_rows_are_for_the_embedded_models_alone(bare_run: Run, evaluation_folder: Path) -> None:
    words = ["evaluation.tasks.names=[xnli]", "evaluation.tasks.path=embedded:demo", "evaluation=local"]
    code, _, err = bare_run(*words, f"evaluation.path={evaluation_folder}")
    assert code == 2
    assert "rows of the generated world, for model.path=" in err


def test_what_the_papers_tasks_lack_is_said(bare_run: Run, rows: Path) -> None:
    code, _, err = bare_run("evaluation=paper", f"evaluation.tasks.path={rows}", "languages=[en,sw]")
    assert code == 0
    assert "no rows, and left out: boolq (en); " in err
    assert "xcopa (sw)" in err
    assert "xnli" not in err
