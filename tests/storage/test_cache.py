"""What is kept for reuse is checked, made once by one process, and named by all that decides it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import process_of

from mbs.errors import MbsError
from mbs.storage.cache import Arrays, Store


def ones() -> Arrays:
    return {"x": np.ones(1000), "words": np.array("é"), "none": np.zeros((0, 3))}


@pytest.mark.guard(
    "mbs/storage/cache.py", 'if hashlib.file_digest(stream, "sha256").hexdigest().encode() == checksum:', "if checksum:"
)
@settings(max_examples=60)
@given(st.data())
def test_a_stage_is_made_once_and_again_when_any_byte_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines: list[str] = []
    made: list[int] = []
    store = Store(tmp_path_factory.mktemp("store"), lines.append)

    def make() -> Arrays:
        made.append(0)
        return ones()

    for _ in range(2):
        held = store.stage("s", {"a": 1}, make)
        assert all(np.array_equal(held[name], array) for name, array in ones().items())
    assert len(made) == 1
    (file,) = (store.root / "s").glob("*.stage")
    whole = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    file.write_bytes(whole)
    assert np.array_equal(store.stage("s", {"a": 1}, make)["x"], np.ones(1000))
    assert len(made) == 2
    assert lines == [f"{file} is damaged (its checksum does not hold) and is made anew"]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_stage_is_named_by_all_its_inputs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.stage("s", {"a": 1}, ones)
    assert store.has("s", {"a": 1})
    assert not store.has("s", {"a": 2})
    assert not store.has("t", {"a": 1})
    assert store.read("s", {"a": 2}) is None
    store.drop("s", {"a": 1})
    assert not store.has("s", {"a": 1})


def test_a_make_that_fails_leaves_nothing_and_frees_the_claim(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail() -> Arrays:
        raise RuntimeError("oops")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="oops"):
            store.stage("s", {}, fail)
    assert list((tmp_path / "s").iterdir()) == []


def test_an_unreadable_stage_is_one_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.stage("s", {}, ones)
    (file,) = (tmp_path / "s").iterdir()
    file.unlink()
    file.mkdir()
    with pytest.raises(MbsError, match=r"\.stage cannot be read \(Is a directory\); expected a readable file"):
        store.read("s", {})


MAKE = """
import sys, time
import numpy as np
from pathlib import Path
from mbs.storage.cache import Store
def make():
    print("making", flush=True)
    time.sleep(float(sys.argv[2]))
    return {"x": np.arange(3)}
store = Store(Path(sys.argv[1]), lambda line: print(line, flush=True))
print(store.stage("s", {}, make)["x"].tolist(), flush=True)
"""


@pytest.mark.guard(
    "mbs/storage/cache.py", "return arrays if arrays is not None else self._write(name, inputs, make())",
    "return self._write(name, inputs, make())",
)  # fmt: skip
def test_a_stage_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    first = process_of(MAKE, tmp_path, 4)
    assert first.stdout
    assert first.stdout.readline() == "making\n"
    second = process_of(MAKE, tmp_path, 0)
    said, trouble = second.communicate(timeout=60)
    assert trouble == ""
    assert said.splitlines()[-1] == "[0, 1, 2]"
    assert "making" not in said
    assert f"waiting for process {first.pid} on " in said
    first.communicate(timeout=60)


def test_a_stage_whose_maker_dies_is_made_by_who_waits(tmp_path: Path) -> None:
    first = process_of(MAKE, tmp_path, 60)
    assert first.stdout
    assert first.stdout.readline() == "making\n"
    second = process_of(MAKE, tmp_path, 0)
    time.sleep(0.5)
    os.killpg(first.pid, signal.SIGKILL)
    said, _ = second.communicate(timeout=60)
    first.communicate()
    assert said.splitlines()[-2:] == ["making", "[0, 1, 2]"]
