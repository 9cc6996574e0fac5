"""The record of a finished run: sealed by checksums, and read again only if they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mbs.errors import MbsError
from mbs.storage.digests import digest, digest_file, strict_json

RESULT = "result.json"
LARGE = "model"  # what lies in this folder is compared by size where nothing of it is read
SCHEMA_VERSION = 1


def seal(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The content with a list of all files below a folder (size and SHA-256), and a checksum over all of it."""
    files = {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": digest_file(file)}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    whole: dict[str, Any] = json.loads(strict_json({**content, "files": files}))
    whole["checksum"] = digest(whole)
    return whole


def read_record(directory: Path) -> dict[str, Any] | None:
    """The content of `result.json`, or None where there is none; raises MbsError where it is not what was written.

    Records from before there were checksums are read as they are.
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


def problem_with_files(directory: Path, record: Mapping[str, Any], digest_of: Callable[[Path], str]) -> str | None:
    """What is wrong with the files that a record lists, or None."""
    for name, listed in record.get("files", {}).items():
        file = directory / name
        if not file.is_file() or file.stat().st_size != listed["bytes"]:
            return f"{file} is missing or cut off"
        if name.split("/")[0] != LARGE and digest_of(file) != listed["sha256"]:
            return f"{file} is damaged (its checksum does not hold)"
    return None


def _damaged(file: Path, how: str) -> MbsError:
    return MbsError(f"{file} is damaged ({how})", "the file as it was written", f"rm {file}, then the run again")
