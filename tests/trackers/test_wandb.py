"""Weights & Biases: offline without a login, one run of its own for every job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run
from runs import folder_of

from mbs.trackers.base import RunInfo
from mbs.trackers.wandb import WandbTracker, default_mode


def test_wandb_is_offline_without_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert default_mode() == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert default_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert default_mode() == "disabled"


def test_wandb_mirrors_a_run_offline(tmp_path: Path) -> None:
    scores = {"perplexity": 10.0, "bits_per_byte": 1.5}
    result = {
        "languages": {"sw": {"share": 0.1, "dense": scores, "compressed": scores, "harm": 0.25}},
        "summary": {"harm_mean": 0.25, "low_resource_languages": ["sw"]},
        "tasks": {"xnli": {"sw": {"accuracy_dense": 0.75, "accuracy_compressed": 0.5}}},
    }
    tracker = WandbTracker(mode="offline")
    tracker.start(RunInfo("a-run", "0", tmp_path, {"seed": 1}, ["mbs", "wanda"]))
    tracker.log({"event": "language", "language": "sw", "harm": 0.25})
    tracker.finish(result)
    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    leet = Path(sys.executable).with_name("wandb")
    shown = subprocess.run([leet, "leet", "inspect", "--summary", "--json", record], capture_output=True, text=True,
                           check=True)  # fmt: skip
    text = json.dumps(json.loads(shown.stdout))
    assert "harm/sw" in text
    assert "0.25" in text
    assert "xnli/sw" in text
    assert "0.75" in text


def test_a_failed_job_keeps_to_its_own_wandb_run(run: Run) -> None:
    code, _, err = run("-m", "tracker=wandb", "languages=[en]", "evaluation.documents=1", "sparsity=2of4",
                     "sparsity.m=5,4")  # fmt: skip
    assert code == 2, err
    for name in ("2of5", "2of4"):
        assert len(list(folder_of(f"tiny_bloom-wanda-{name}-*").glob("wandb/offline-run-*/run-*.wandb"))) == 1
    failed = folder_of("tiny_bloom-wanda-2of5-*")
    assert not (failed / "result.json").exists()
    assert json.loads((failed / "metrics.jsonl").read_text().splitlines()[-1])["event"] == "failed"
