"""Identity by content: digests of values, of files, and of the package's own sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
INSTALLED = ("site-packages", "dist-packages")
WITHOUT_NUMBERS = ("report", "trackers", "cli", "__main__.py")
SOURCES = (".py", ".yaml")


def strict_json(value: object, indent: int | None = None) -> str:
    """JSON that every parser reads: no NaN, no infinity."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)


def digest(value: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(file: Path) -> str:
    """SHA-256 of a file's content."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        error.filename = error.filename or str(file)  # one that comes up in reading has none
        raise


def digest_files(files: Iterable[Path], of: Callable[[Path], str] = digest_file) -> str:
    """SHA-256 over names and contents of files, in the order of their names; `of` gives the digest of one."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        total.update(f"{file.name}\0{of(file)}\0".encode())
    return total.hexdigest()


@cache
def source_digest(package: Path = PACKAGE) -> str | None:
    """SHA-256 of the package's sources where they lie in a source tree and change between releases, else None.

    Rooms that cannot change a number (reports, trackers, commands) are left out.
    """
    if any(part in INSTALLED for part in package.parts):
        return None
    files = (file for file in package.rglob("*") if file.suffix in SOURCES)
    of_numbers = {file.relative_to(package).as_posix(): file for file in files}
    of_numbers = {name: file for name, file in of_numbers.items() if name.split("/")[0] not in WITHOUT_NUMBERS}
    return digest({name: digest_file(file) for name, file in of_numbers.items()})
