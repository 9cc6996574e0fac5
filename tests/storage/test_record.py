"""A result that is not what was written is seen, and so are the files beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbs.errors import MbsError
from mbs.storage.digests import digest_file, strict_json
from mbs.storage.files import write_whole
from mbs.storage.record import problem_with_files, read_record, seal


def written(tmp_path: Path) -> Path:
    write_whole(tmp_path / "scores.parquet", b"12345")
    whole = seal({"schema_version": 1, "x": 0.1, "y": [1, None]}, tmp_path)
    write_whole(tmp_path / "result.json", strict_json(whole).encode())
    return tmp_path / "result.json"


@pytest.mark.guard("mbs/storage/record.py", "if checksum is not None and digest(whole) != checksum:", "if False:")
def test_a_record_that_is_not_what_was_written_is_seen(tmp_path: Path) -> None:
    file = written(tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    assert (record["x"], record["y"]) == (0.1, [1, None])
    assert problem_with_files(tmp_path, record, digest_file) is None
    text = file.read_text()
    other = text.replace('"schema_version": 1', '"schema_version": 9')
    for wrong in (text.replace("0.1", "0.2"), text[:-20], "", "[]", other):
        file.write_text(wrong)
        with pytest.raises(MbsError, match=r"is damaged|has schema"):
            read_record(tmp_path)
    file.unlink()
    assert read_record(tmp_path) is None


@pytest.mark.guard("mbs/storage/record.py", ' and digest_of(file) != listed["sha256"]', " and False")
def test_files_beside_a_record_are_checked(tmp_path: Path) -> None:
    written(tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    (tmp_path / "scores.parquet").write_bytes(b"12346")
    assert "is damaged" in str(problem_with_files(tmp_path, record, digest_file))
    (tmp_path / "scores.parquet").write_bytes(b"123")
    assert "is missing or cut off" in str(problem_with_files(tmp_path, record, digest_file))
