"""The embedded default: its text, runs without a word, runs compared."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import cut, flip

import mbs
from mbs import MbsError
from mbs.cli import main as cli
from mbs.cli.words import with_own_groups
from mbs.data.corpora.demo import DemoCorpus
from mbs.demo import sample
from mbs.engine.checkpoint import ModelSource
from mbs.evaluation.tasks.suite import Tasks
from mbs.report.__main__ import main as report
from mbs.report.choose import choose
from mbs.report.compare import Run, groups, read_runs
from mbs.storage.digests import SOURCES, digest_file

ROOT = Path(__file__).parents[1]
TWINS = ("demo", "demo-reversed")


@pytest.mark.parametrize("language", sample.LANGUAGES)
def test_the_sample_is_whole_and_the_corpus_gives_its_first_documents(language: str) -> None:
    for split, held in sample.DOCUMENTS.items():
        kept = sample.documents(language, split)
        found = DemoCorpus(split, 7).documents(language)
        assert [(document.id, document.text) for document in found] == list(kept[:7])
        assert not any(document.identifies for document in found)
        assert len(dict(kept)) == len(kept) == held
        assert all(text.strip() for _, text in kept)
    assert len(sample.rows(language)) == sample.ITEMS


def test_parallel_documents_have_the_same_ids_in_every_language() -> None:
    corpus = DemoCorpus("dev", 3)
    assert set(corpus.languages) == set(sample.LANGUAGES)
    assert {tuple(document.id for document in corpus.documents(code)) for code in corpus.languages} == {
        ("dev-3000-000000", "dev-3000-000001", "dev-3000-000002")
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DemoCorpus("valid", 3), "unknown split 'valid'"),
        (lambda: DemoCorpus("dev", 0), "documents=0 of the generated dev text"),
        (lambda: DemoCorpus("train", 2001), "a whole number from 1 to 2000, .* try corpus.documents=2000"),
        (lambda: DemoCorpus("test", 300), "a whole number from 1 to 200, .* try evaluation.documents=200"),
        (lambda: DemoCorpus("dev", 3).documents("yo"), "the generated text has no yo"),
        (lambda: Tasks("xnli", "embedded:demo", 301).read(), "300 or fewer, .* try evaluation.tasks.limit=300"),
        (lambda: ModelSource("embedded:dem").folder(), "unknown embedded model 'dem'"),
    ],
)
def test_mistakes_are_named(make: Any, message: str) -> None:
    with pytest.raises(MbsError, match=message):
        make()


def test_a_missing_or_damaged_sample_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sample.sample_file("xnli", "sw").read_bytes()
    monkeypatch.setattr(sample, "FOLDER", tmp_path)
    with pytest.raises(MbsError, match=r"sw\.jsonl\.xz cannot be read \(No such file .* try installing mbs again"):
        sample.rows("sw")
    file = sample.sample_file("xnli", "sw")
    file.parent.mkdir()
    file.write_bytes(whole)
    assert len(sample.rows("sw")) == sample.ITEMS
    for spoil in (cut, flip):
        file.write_bytes(whole)
        spoil(file)
        with pytest.raises(MbsError, match=r"sw\.jsonl\.xz cannot be read \("):
            sample.rows("sw")


def test_embedded_text_counts_by_its_content() -> None:
    """It is no source of the package, where a change of any one file would make every finished run be done again."""
    held = {file.suffix for file in Path(sample.__file__).parent.rglob("*")}
    assert held & set(SOURCES) == {".py"}
    text, rows = sample.sample_file("test", "sw"), sample.sample_file("xnli", "sw")
    assert DemoCorpus("test", 3).content("sw", digest_file) == [digest_file(text), 3]
    assert Tasks("xnli", "embedded:demo", 3).content(["sw"], digest_file) == {"xnli/sw": digest_file(rows)}


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of the embedded default: two calibration seeds by the mbs mix, one by magnitude, one of another model."""
    monkeypatch.chdir(tmp_path)
    small = ["calibration.segments=9", "calibration.length=32", "evaluation.documents=2", "tracker=none"]
    for words in (["seed=0"], ["seed=1"], ["pruner=magnitude"], ["model=demo-reversed"]):
        monkeypatch.setattr(sys, "argv", ["mbs", *small, *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    return tmp_path / "outputs"


def test_plain_mbs_runs_the_embedded_default_and_runs_are_compared(
    outputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = groups(read_runs(outputs))
    assert (one.model, two.model) == TWINS
    assert one.generated
    assert set(one.conditions) == {("wanda", "mbs"), ("magnitude", "")}
    mine = [run for run in read_runs(outputs) if run.result["pruner"] == "wanda"
            and "reversed" not in run.result["config"]["model"]["path"]]  # fmt: skip
    harms = [run.result["languages"]["sw"]["harm"] for run in mine]
    wanda, magnitude = one.conditions["wanda", "mbs"], one.conditions["magnitude", ""]
    assert wanda.harm("sw").value == pytest.approx(np.mean(harms))
    assert (wanda.harm("sw").seeds, wanda.harm("sw").documents, magnitude.harm("sw").seeds) == (2, 2, 1)
    assert wanda.summary()["low-resource"].value == pytest.approx(
        np.mean([run.result["summary"]["harm_low_resource"] for run in mine])
    )
    frame = mbs.runs(outputs)
    row = frame.query("model == 'demo' and mix == 'mbs' and language == 'sw' and metric == 'harm'").iloc[0]
    assert (row["value"], row["low"], row["seeds"]) == (wanda.harm("sw").value, wanda.harm("sw").low, 2)
    assert row["low"] < row["value"] < row["high"]
    assert len(row["directories"]) == 2
    one_seed = frame.query("model == 'demo' and pruner == 'magnitude' and language == 'xx'")
    assert one_seed.empty
    assert frame.query("language == 'all'")["metric"].nunique() == 4
    monkeypatch.setattr(sys, "argv", ["report", str(outputs)])
    assert report() == 0
    printed = capsys.readouterr().out
    assert "says nothing about the real languages" in printed
    assert (outputs / "harm.png").read_bytes()[1:4] == b"PNG"
    monkeypatch.setattr(sys, "argv", ["report", str(outputs), "--markdown", "--picture", str(outputs / "other.png")])
    assert report() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### demo at sparsity 0.5"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert ["sw", "1.02", f"{one.dense['sw']:.4g}"] in [row[:3] for row in cells]
    assert (outputs / "other.png").is_file()


def fake_run(
    folder: Path, seed: int, pruner: str = "wanda", mix: str = "custom", weight: int = 1, split: str = "all"
) -> Run:
    row = {"share": 0.5, "harm": 0.1, "dense": {"perplexity": 5.0, "documents": 4}, "learnt": True}
    result = {
        "pruner": pruner, "mix": mix, "content": {}, "sparsity": {"requested": "0.5"}, "numerics": {}, "tasks": {},
        "calibration": {"used": pruner == "wanda"}, "languages": {"en": row, "sw": row},
        "summary": {"low_resource_languages": ["sw"], "parallel": True},
        "config": {"seed": seed, "calibration": {"segments": 9}, "model": {"path": "a/b"}, "mix": {"weights": weight},
                   "evaluation": {"split": split}},
    }  # fmt: skip
    folder = folder / f"{pruner}-{mix}-{weight}-{seed}-{split}"
    folder.mkdir()
    count, harm = 8, 0.1 * weight + seed / 10
    columns = {
        "language": ["en"] * 4 + ["sw"] * 4, "tokens": [10] * count, "nll_dense": [20.0] * count,
        "nll_compressed": [20.0 + 10 * harm + 0.01 * number for number in range(count)],
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "scores.parquet")
    return Run(result, folder)


def test_only_seeds_are_averaged_and_repeats_without_text_count_once(tmp_path: Path) -> None:
    runs = [fake_run(tmp_path, seed, weight=weight) for seed in (0, 1) for weight in (1, 2)]
    again = fake_run(tmp_path, 1, split="all ")  # the same draw under another name
    runs.append(Run({**again.result, "config": runs[-2].result["config"]}, again.directory))
    (group,) = groups([*runs, *(fake_run(tmp_path, 0, "magnitude", mix) for mix in ("mbs", "english"))])
    customs = [runs.harm("en").value for (pruner, _), runs in group.conditions.items() if pruner == "wanda"]
    assert sorted(customs) == pytest.approx([0.15 + 0.0015, 0.25 + 0.0015])
    assert len({mix for pruner, mix in group.conditions if pruner == "wanda"}) == 2
    assert {len(runs.runs) for (pruner, _), runs in group.conditions.items() if pruner == "wanda"} == {2}
    assert group.conditions["magnitude", ""].harm("en").seeds == 1
    assert not group.generated


def test_choices_see_the_first_half_and_tables_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [fake_run(tmp_path, 0, weight=2), fake_run(tmp_path, 0, mix="other", split="second")]
    with pytest.raises(MbsError, match=r"2 runs, none of them on the half .* evaluation\.split=first"):
        choose(runs)
    runs += [fake_run(tmp_path, 0, mix=mix, weight=weight, split="first") for mix, weight in (("a", 2), ("b", 1))]
    ((_, condition, found),) = choose(runs, "mean")
    assert condition == ("wanda", "b")
    assert found.value == pytest.approx(0.1035)
    with pytest.raises(MbsError, match="criterion"):
        choose(runs, "best")
    for run in runs:
        content = {"schema_version": 1, **run.result}
        del content["tasks"]  # as results were before there were tasks
        (run.directory / "result.json").write_text(json.dumps(content))
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path), "--choose", "worst-quarter"])
    assert report() == 0
    assert "a/b" not in (shown := capsys.readouterr().out)
    assert "wanda, b, worst-quarter harm" in shown
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path)])
    assert report() == 0
    captured = capsys.readouterr()
    assert "2 runs with evaluation.split=first are there to choose by" in captured.err
    assert "other" in captured.out
    for folder in tmp_path.glob("*-all"):
        (folder / "result.json").unlink()
    for folder in tmp_path.glob("*-second"):
        (folder / "result.json").unlink()
    assert report() == 2
    assert "try --choose worst-quarter" in capsys.readouterr().err


def test_a_result_of_another_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text('{"schema_version": 99}')
    with pytest.raises(MbsError, match="schema 99"):
        read_runs(tmp_path)


def test_report_of_an_empty_folder_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path)])
    assert report() == 2
    assert "try mbs -m experiment=demo" in capsys.readouterr().err


def test_own_paths_choose_the_local_groups_and_keep_a_choice() -> None:
    assert with_own_groups(["model.path=a", "seed=1"]) == ["model=local", "model.path=a", "seed=1"]
    assert with_own_groups(["model=bloom-560m", "model.path=a"]) == ["model=bloom-560m", "model.path=a"]
    assert with_own_groups(["corpus.path=a", "evaluation.path=b"])[:2] == ["corpus=local", "evaluation=local"]
    assert with_own_groups(["++model.path=a"])[:1] == ["model=local"]
    assert with_own_groups(["model.path=embedded:demo"]) == ["model.path=embedded:demo"]
    assert with_own_groups(["-m", "mix=mbs"]) == ["-m", "mix=mbs"]
    assert with_own_groups(["-m", "model.path=a"]) == ["-m", "model=local", "model.path=a"]
    assert with_own_groups(["model.path=a", "--cfg", "job"]) == ["model=local", "model.path=a", "--cfg", "job"]


def test_a_reader_who_stops_reading_gets_no_error() -> None:
    nobody_reads, pipe = os.pipe()
    os.close(nobody_reads)
    words = [sys.executable, "-m", "mbs", "--help"]
    ended = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(pipe)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_generated_text_is_never_used_for_a_model_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluation_folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, message in (
        (["model.path=x"], "evaluation.path is not set"),
        (["model.path=x", f"evaluation.path={evaluation_folder}"], "corpus.path is not set"),
    ):
        monkeypatch.setattr(sys, "argv", ["mbs", "tracker=none", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
