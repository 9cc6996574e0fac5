"""Whole runs in tests: starting, counting and comparing them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from mbs.cli.config import build
from mbs.cli.paths import config_folder
from mbs.cli.words import with_own_groups
from mbs.engine.blocks import Block
from mbs.evaluation import perplexity
from mbs.run import scores as measure
from mbs.run.settings import Settings
from mbs.storage.record import read_record

QUICK = ["languages=[en,sw]", "evaluation.continuations=0"]
VARYING = ("seconds", "peak_memory_bytes", "checksum")  # of a result: what differs between two runs of one identity


def only(outputs: Path = Path("outputs")) -> Path:
    (found,) = outputs.glob("tiny_bloom-*/result.json")
    return found.parent


def folder_of(pattern: str = "tiny_bloom-*") -> Path:
    """The one folder of outputs whose name fits."""
    (found,) = Path("outputs").glob(pattern)
    return found


def result_of(pattern: str = "tiny_bloom-*") -> dict[str, Any]:
    """The result in that folder, read as strict JSON."""
    text = (folder_of(pattern) / "result.json").read_text()
    loaded: dict[str, Any] = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return loaded


def one_line(code: int, out: str, err: str) -> str:
    """What was said of a mistake, which is one line."""
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("mbs: ")
    return err


def content(directory: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A result without times, memory and places, and the digest of every other file but the log."""
    record = read_record(directory)
    assert record is not None
    for name in VARYING:
        record.pop(name, None)
    for name in ("outputs", "rerun"):
        record["config"].pop(name)
    files = {
        file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in directory.rglob("*")
        if file.is_file() and file.name not in ("result.json", "metrics.jsonl")
    }
    return record, files


def built(words: list[str]) -> Settings:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return build(compose("config", with_own_groups(words)))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def flip(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)


def counted(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    """Note every block that is compressed and every part of text that is scored."""
    from mbs.compression.compress import _Compress

    finish, score = _Compress._finish, perplexity.measure_text

    def finishing(self: Any, block: Block, hidden: Any) -> Any:
        done.append(f"block {block.index}")
        return finish(self, block, hidden)

    def scoring(model: Any, text: Any, *rest: Any) -> Any:
        done.append(text.language)
        return score(model, text, *rest)

    monkeypatch.setattr(_Compress, "_finish", finishing)
    monkeypatch.setattr(measure, "measure_text", scoring)


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "mbs", *words], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip


def process_of(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs this code."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        if value := found():
            return value
        time.sleep(0.02)
    pytest.fail("waited in vain")
