"""Files are written whole or not at all, under names that are safe everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbs.errors import MbsError
from mbs.storage.files import slug, write_whole


def test_slugs_are_safe() -> None:
    assert slug("../../Evil Name") == "evil_name"
    assert slug("人") == "x"
    assert slug("Ünïcode") == slug("U\u0308ni\u0308code")
    assert len(slug("a" * 500)) == 32


def test_files_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sub" / "a.json"
    write_whole(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mbs.storage.files.os.fsync", full)
    with pytest.raises(MbsError, match=r"no space left for .*a\.json"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]


@pytest.mark.guard("mbs/storage/files.py", "os.replace(temporary, path)", "path.write_bytes(temporary.read_bytes())")
def test_a_file_is_replaced_and_never_rewritten(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_whole(file, b"old")
    with file.open("rb") as reader:
        write_whole(file, b"n", b"ew")
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
