"""The record of a finished run: sealed by checksums, and read again only if they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mbs.digests import digest, strict_json
from mbs.errors import MbsError
from mbs.paths import write_whole

RESULT = "result.json"
STARTED = "run.json"  # there from the start of a run until its leftovers are gone
LOGS = ("metrics.jsonl", "wandb", RESULT, STARTED)
LARGE = "model"  # what lies in this folder is compared by size where nothing of it is read
SCHEMA_VERSION = 1


def write_record(directory: Path, content: Mapping[str, Any], digest_of: Callable[[Path], str]) -> dict[str, Any]:
    """`result.json`, written last: where it is, the run is finished. Lists every other file with size and SHA-256."""
    files = {}
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        if file.is_file() and name.split("/")[0] not in LOGS and not file.name.startswith("."):
            files[name] = {"bytes": file.stat().st_size, "sha256": digest_of(file)}
    whole: dict[str, Any] = json.loads(strict_json({**content, "files": files}))
    whole["checksum"] = digest(whole)
    write_whole(directory / RESULT, (strict_json(whole, indent=1) + "\n").encode())
    return whole


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
