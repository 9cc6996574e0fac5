"""The record of a finished run: sealed by checksums, and read again only if they hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mbs.errors import MbsError
from mbs.storage.digests import digest, digest_file, strict_json
from mbs.storage.files import PART, make_folder, sync_folder, unwritable, write_whole

RESULT = "result.json"
STARTED = "run.json"  # there from the start of a run until its leftovers are gone
MADE = f".result{PART}"  # where the files of a result are until it is whole
LARGE = "model"  # what lies in this folder is compared by size where nothing of it is read
SCHEMA_VERSION = 1


def begin(directory: Path) -> Path:
    """An empty folder for the files of a result, beside those of an earlier one, which stay until `publish`."""
    discard(directory)
    make_folder(directory / MADE)
    return directory / MADE


def discard(directory: Path) -> None:
    """Drop a result that is not whole; one that is stays for `publish`."""
    if not is_unpublished(directory):
        shutil.rmtree(directory / MADE, ignore_errors=True)


def write_record(directory: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Seal the files from `begin` with `result.json`, which lists them with size and SHA-256, and publish them."""
    made = directory / MADE
    files = {
        file.relative_to(made).as_posix(): {"bytes": file.stat().st_size, "sha256": digest_file(file)}
        for file in sorted(made.rglob("*"))
        if file.is_file()
    }
    whole: dict[str, Any] = json.loads(strict_json({**content, "files": files}))
    whole["checksum"] = digest(whole)
    write_whole(made / RESULT, (strict_json(whole, indent=1) + "\n").encode())
    publish(directory)
    return whole


def is_unpublished(directory: Path) -> bool:
    """Whether a result is whole and not yet, or not wholly, in its place."""
    return (directory / MADE / RESULT).exists()


def publish(directory: Path) -> None:
    """Put a result in its place, `result.json` last, if there is a whole one; goes on where a killed process stopped.

    The caller has claimed the run.
    """
    made = directory / MADE
    if not is_unpublished(directory):
        return
    try:
        for file in sorted(made.iterdir(), key=lambda file: file.name == RESULT):
            target = directory / file.name
            if target.is_dir():
                shutil.rmtree(target)
            file.replace(target)
        made.rmdir()
        sync_folder(directory)
    except OSError as error:
        raise unwritable(directory, error) from error


def read_record(directory: Path) -> dict[str, Any] | None:
    """The content of `result.json`, or None where there is none; raises MbsError where it is not what was written.

    Records of before there were checksums are read as they are.
    """
    file = directory / RESULT
    try:
        whole = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MbsError(f"{file} cannot be read ({error.strerror})", "a readable file") from error
    except ValueError:
        raise _damaged(file, "it is not JSON") from None
    if not isinstance(whole, dict) or whole.get("schema_version") != SCHEMA_VERSION:
        version = whole.get("schema_version") if isinstance(whole, dict) else None
        raise MbsError(f"{file} has schema {version}", f"schema {SCHEMA_VERSION}", "a new run")
    checksum = whole.pop("checksum", None)
    if checksum is not None and digest(whole) != checksum:
        raise _damaged(file, "its checksum does not hold")
    return whole


def missing_file(directory: Path, record: Mapping[str, Any], digest_of: Callable[[Path], str]) -> str | None:
    """What is wrong with the files that a record lists, or None."""
    for name, held in record.get("files", {}).items():
        file = directory / name
        if not file.is_file() or file.stat().st_size != held["bytes"]:
            return f"{file} is missing or cut off"
        if name.split("/")[0] != LARGE and digest_of(file) != held["sha256"]:
            return f"{file} is damaged (its checksum does not hold)"
    return None


def _damaged(file: Path, how: str) -> MbsError:
    return MbsError(f"{file} is damaged ({how})", "the file as it was written", f"rm {file}, then the run again")
