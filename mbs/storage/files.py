"""Files written whole or not at all, and names that cannot leave their folder."""

from __future__ import annotations

import errno
import os
import re
import unicodedata
import uuid
from contextlib import suppress
from pathlib import Path

from mbs.errors import MbsError

PART = ".part"  # a file that is being written, or that a killed process left


def slug(text: str, longest: int = 32) -> str:
    """A file-name part of lower-case ASCII letters, digits, dots and underscores that cannot leave its folder."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "_", plain).strip("._")[:longest].strip("._") or "x"


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write a file so that a reader sees the old content or all of the new one, even after a power cut.

    Raises MbsError with one clear line when it cannot be written; what was there before then still is.
    """
    temporary = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises MbsError with one clear line when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> MbsError:
    """One line for a file or folder that cannot be written: the disk is full, or it is not ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = "freeing space (mbs-clean shows what can go), then the same command, which goes on from here"
        return MbsError(f"no space left for {path}", "room on that disk", free)
    reason = error.strerror or str(error)
    return MbsError(f"{path} cannot be written ({reason})", "a folder that can be written", "outputs=FOLDER")


def sync_folder(folder: Path) -> None:
    """Make a rename last: without it a power cut may bring the old name back."""
    with suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
