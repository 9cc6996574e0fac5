"""The whole run through the command line: its result is the contract."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import Run
from runs import folder_of, result_of


def test_a_run_from_start_to_end(run: Run) -> None:
    code, out, err = run("languages=[sw,en,fr]")
    assert (code, err) == (0, "")
    result = result_of("tiny_bloom-wanda-0.5-mbs-*")
    assert result["schema_version"] == 1
    assert list(result["languages"]) == ["en", "fr", "sw"]
    assert result["calibration"]["segments"] == {"en": 8, "fr": 2, "sw": 2}
    assert result["calibration"]["used"] is True
    assert set(result["calibration"]["documents"]) == {"en", "fr", "sw"}
    assert result["sparsity"]["achieved"] == pytest.approx(0.5)
    assert len(result["sparsity"]["layers"]) == 12
    assert result["summary"]["low_resource_languages"] == ["sw"]
    assert set(result["seconds"]) == {"identify", "sample", "load", "dense", "compress", "score"}
    assert result["peak_memory_bytes"] > 10**7
    assert result["config"]["mix"]["name"] == "mbs"
    assert result["versions"]["torch"] == torch.__version__
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["en", "fr", "sw"]
    for words in ("mean harm", "worst harm", "low-resource harm", "share in tokens", "results in outputs"):
        assert words in out

    directory = folder_of()
    rows = pq.read_table(directory / "scores.parquet").to_pylist()
    for language, row in result["languages"].items():
        mine = [r for r in rows if r["language"] == language]
        dense, compressed = (sum(r[f"nll_{which}"] for r in mine) for which in ("dense", "compressed"))
        tokens, size = sum(r["tokens"] for r in mine), sum(r["bytes"] for r in mine)
        assert (tokens, size, len(mine)) == (row["dense"]["tokens"], row["dense"]["bytes"], row["dense"]["documents"])
        assert row["dense"]["perplexity"] == pytest.approx(math.exp(dense / tokens))
        assert row["compressed"]["bits_per_byte"] == pytest.approx(compressed / math.log(2) / size)
        assert row["harm"] == pytest.approx((compressed - dense) / tokens)
    harms = [row["harm"] for row in result["languages"].values()]
    assert result["summary"]["harm_mean"] == pytest.approx(np.mean(harms))
    events = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [event["block"] for event in events if event["event"] == "block"] == [0, 1, 2]
    assert events[-1]["event"] == "finished"


@pytest.mark.parametrize("argument", ["sparsity=none", "sparsity.ratio=0", "pruner=none"])
def test_no_pruning_gives_the_dense_numbers_bit_for_bit(run: Run, argument: str) -> None:
    assert run(argument)[0] == 0
    for row in result_of()["languages"].values():
        assert row["dense"] == row["compressed"]
        assert row["harm"] == row["harm_per_document"] == 0
    table = pq.read_table(folder_of() / "scores.parquet")
    assert table["nll_dense"].equals(table["nll_compressed"])


def test_the_same_command_gives_the_same_result(run: Run) -> None:
    run("mix=uniform")
    first = result_of()
    run("mix=uniform", "rerun=always")
    second = result_of()
    for changing in ("seconds", "peak_memory_bytes", "config", "checksum"):
        first.pop(changing)
        second.pop(changing)
    assert first == second


@pytest.mark.guard("mbs/run/identity.py", "slug(str(part), 40) for part in parts", "str(part) for part in parts")
@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "a" * 400, "con: <x>", ".", "..", "", "\u00e9\u0301\u4eba", "'quoted'"]
)
def test_no_name_leaves_outputs(run: Run, tmp_path: Path, name: str) -> None:
    quoted = name.replace("'", "\\'")
    code, _, err = run(f"mix.name='{quoted}'", "languages=[en]", "evaluation.documents=1")
    assert (code, err) == (0, "")
    assert (folder_of("tiny_bloom-wanda-*") / "result.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"outputs"}
    assert len(folder_of("tiny_bloom-*").name) < 128


def test_dropped_languages_are_seen(run: Run, tmp_path: Path, corpus_folder: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for file in ("en.txt", "sw.jsonl"):
        (corpus / file).write_bytes((corpus_folder / file).read_bytes())
    _, out, err = run(f"corpus.path={corpus}", "mix=uniform")
    assert "left out of the mix: zh-Hans, fr, yo" in out
    assert "warning: not in the corpus and left out of the mix: zh-Hans, fr, yo" in err
    assert result_of()["calibration"]["dropped_languages"] == ["zh-Hans", "fr", "yo"]
    assert result_of()["calibration"]["segments"] == {"en": 6, "sw": 6}


def test_undeclared_shares(run: Run) -> None:
    _, out, _ = run("model.shares=null", "mix=uniform")
    summary = result_of()["summary"]
    assert (summary["harm_low_resource"], summary["low_resource_languages"]) == (None, [])
    assert "training shares undeclared" in out


def test_magnitude_needs_no_calibration_text(run: Run) -> None:
    code, out, err = run("pruner=magnitude", "corpus.path=null", "model.shares=null")
    assert (code, err) == (0, "")
    assert "no calibration text is needed" in out
    assert result_of()["calibration"]["used"] is False


def test_the_papers_protocol(run: Run) -> None:
    assert run("evaluation.protocol=paper", "languages=[en]")[0] == 0
    row = result_of()["languages"]["en"]
    assert row["harm_per_document"] is None
    assert row["dense"]["tokens"] % 23 == 0
