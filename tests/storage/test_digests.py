"""Digests name content: of values, of files and of the code itself."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mbs.storage.cache import Store
from mbs.storage.digests import PACKAGE, digest, digest_file, digest_files, source_digest, strict_json


@pytest.mark.guard(
    "mbs/storage/digests.py", "allow_nan=False, ensure_ascii=False, indent=indent", "ensure_ascii=False, indent=indent"
)
def test_digests(tmp_path: Path) -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    (tmp_path / "a").write_bytes(b"1")
    before = digest_files([tmp_path / "a"])
    (tmp_path / "a").write_bytes(b"2")
    assert digest_files([tmp_path / "a"]) != before
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json({"x": float("nan")})


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


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
