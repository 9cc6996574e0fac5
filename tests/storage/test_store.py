"""What is kept is whole, checked, made once by one process, and named by all that decides it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbs.errors import MbsError
from mbs.storage.cache import Arrays, Store
from mbs.storage.digests import PACKAGE, digest, digest_file, source_digest
from mbs.storage.files import write_whole
from mbs.storage.locks import Claimed, claim, is_claimed, owner_of
from mbs.storage.record import begin, missing_file, read_record, write_record


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
    assert store.held("s", {"a": 2}) is None
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
        store.held("s", {})


@pytest.mark.guard("mbs/storage/cache.py", ', "ctime_ns": seen.st_ctime_ns', "")
def test_a_changed_file_has_another_digest_though_size_and_time_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbs.storage.cache.SETTLED", 0)
    monkeypatch.setattr("mbs.storage.cache.SMALL", 0)
    store = Store(tmp_path / "store")
    file = tmp_path / "weights"
    file.write_bytes(b"0" * 1000)
    before, seen = store.digest_of(file), file.stat()
    assert store.digest_of(file) == before == digest_file(file)
    time.sleep(0.02)  # past the tick of the file system's clock
    with file.open("r+b") as stream:
        stream.seek(500)
        stream.write(b"1")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)
    assert store.digest_of(file) == digest_file(file) != before


@pytest.mark.guard("mbs/storage/cache.py", " or abs(time.time_ns() - seen.st_ctime_ns) < SETTLED", "")
def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbs.storage.cache.SMALL", 0)
    store = Store(tmp_path / "store")
    file = tmp_path / "a"
    file.write_bytes(b"1")
    store.digest_of(file)
    assert not (store.root / "digest").exists()


def test_large_files_are_digested_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbs.storage.cache.SETTLED", 0)
    monkeypatch.setattr("mbs.storage.cache.SMALL", 0)
    read: list[Path] = []

    def counted(file: Path) -> str:
        read.append(file)
        return digest_file(file)

    monkeypatch.setattr("mbs.storage.cache.digest_file", counted)
    file = tmp_path / "a"
    file.write_bytes(b"1")
    assert Store(tmp_path / "store").digest_of(file) == Store(tmp_path / "store").digest_of(file)
    assert read == [file]


@pytest.mark.guard("mbs/storage/files.py", "os.replace(temporary, path)", "path.write_bytes(temporary.read_bytes())")
def test_a_file_is_replaced_and_never_rewritten(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_whole(file, b"old")
    with file.open("rb") as reader:
        write_whole(file, b"n", b"ew")
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


CLAIM = """
import sys, time
from pathlib import Path
from mbs.storage.locks import Claimed, claim
try:
    with claim(Path(sys.argv[1])):
        print("mine", flush=True)
        time.sleep(float(sys.argv[2]))
except Claimed as claimed:
    print("theirs", claimed.owner.pid, flush=True)
"""


@pytest.mark.guard(
    "mbs/storage/locks.py", "lock.acquire(timeout=PATIENCE if wait else TRY, poll_interval=POLL)", "pass"
)
def test_of_64_claimants_one_wins(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[3]): time.sleep(0.01)\n" + CLAIM
    started = [start(code, tmp_path / "a.lock", 60, go) for _ in range(64)]
    go.touch()
    try:
        first: list[str] = []
        for process in started:
            assert process.stdout
            first.append(process.stdout.readline())
            if first[-1] == "mine\n":
                winner = process.pid
        assert first.count("mine\n") == 1
        assert first.count(f"theirs {winner}\n") == 63
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.guard("mbs/storage/locks.py", "name.unlink()", "pass")
def test_a_dead_owner_is_taken_over_and_a_done_one_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    process = start(CLAIM, file, 60)
    assert process.stdout
    assert process.stdout.readline() == "mine\n"
    owner = owner_of(file)
    assert owner is not None
    assert owner.pid == process.pid
    assert is_claimed(file)
    with pytest.raises(Claimed, match=f"process {process.pid} on "), claim(file):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with claim(file):
        assert owner_of(file) != owner
    assert list(tmp_path.iterdir()) == []
    assert not is_claimed(file)


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
    "mbs/storage/cache.py", "return found if found is not None else self._keep(name, inputs, make())",
    "return self._keep(name, inputs, make())",
)  # fmt: skip
def test_a_stage_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    first = start(MAKE, tmp_path, 4)
    assert first.stdout
    assert first.stdout.readline() == "making\n"
    second = start(MAKE, tmp_path, 0)
    said, trouble = second.communicate(timeout=60)
    assert trouble == ""
    assert said.splitlines()[-1] == "[0, 1, 2]"
    assert "making" not in said
    assert f"waiting for process {first.pid} on " in said
    first.communicate(timeout=60)


def test_a_stage_whose_maker_dies_is_made_by_who_waits(tmp_path: Path) -> None:
    first = start(MAKE, tmp_path, 60)
    assert first.stdout
    assert first.stdout.readline() == "making\n"
    second = start(MAKE, tmp_path, 0)
    time.sleep(0.5)
    os.killpg(first.pid, signal.SIGKILL)
    said, _ = second.communicate(timeout=60)
    first.communicate()
    assert said.splitlines()[-2:] == ["making", "[0, 1, 2]"]


def written(tmp_path: Path) -> Path:
    write_whole(begin(tmp_path) / "scores.parquet", b"12345")
    write_record(tmp_path, {"schema_version": 1, "x": 0.1, "y": [1, None]})
    return tmp_path / "result.json"


@pytest.mark.guard("mbs/storage/record.py", "if checksum is not None and digest(whole) != checksum:", "if False:")
def test_a_record_that_is_not_what_was_written_is_seen(tmp_path: Path) -> None:
    file = written(tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    assert (record["x"], record["y"]) == (0.1, [1, None])
    assert missing_file(tmp_path, record, digest_file) is None
    text = file.read_text()
    other = text.replace('"schema_version": 1', '"schema_version": 9')
    for wrong in (text.replace("0.1", "0.2"), text[:-20], "", "[]", other):
        file.write_text(wrong)
        with pytest.raises(MbsError, match=r"is damaged|has schema"):
            read_record(tmp_path)
    file.unlink()
    assert read_record(tmp_path) is None


@pytest.mark.guard("mbs/storage/record.py", ' and digest_of(file) != held["sha256"]', " and False")
def test_files_beside_a_record_are_checked(tmp_path: Path) -> None:
    written(tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    (tmp_path / "scores.parquet").write_bytes(b"12346")
    assert "is damaged" in str(missing_file(tmp_path, record, digest_file))
    (tmp_path / "scores.parquet").write_bytes(b"123")
    assert "is missing or cut off" in str(missing_file(tmp_path, record, digest_file))


def test_sources_are_part_of_the_identity_where_they_are_edited(tmp_path: Path) -> None:
    found = source_digest()
    assert found is None if "site-packages" in PACKAGE.parts else found == source_digest(PACKAGE)
    package = tmp_path / "mbs"
    (package / "report").mkdir(parents=True)
    (package / "walk.py").write_text("x = 1\n")
    (package / "report" / "page.py").write_text("x = 1\n")
    digests = [source_digest.__wrapped__(package)]
    for file in ("report/page.py", "walk.py"):
        (package / file).write_text("x = 2\n")
        digests.append(source_digest.__wrapped__(package))
    assert digests[0] == digests[1] != digests[2]
    assert source_digest.__wrapped__(tmp_path / "site-packages" / "mbs") is None


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
