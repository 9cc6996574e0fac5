"""A store of results: each is made once, by one process, written whole, and checked when it is read again."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mbs.errors import MbsError
from mbs.storage.digests import digest, digest_file
from mbs.storage.files import write_whole
from mbs.storage.locks import claim

Arrays = dict[str, np.ndarray]
CHECKSUM = 64  # bytes at the start of a file: the SHA-256 of the rest, in hexadecimal digits
SMALL = 2**16
SETTLED = 60 * 10**9  # ns: until the system writes it back, what changes through a memory map gets no new time stamp


@dataclass(frozen=True)
class Store:
    """Stages under `root`, shared by every run that names it, also over a shared file system.

    A stage is named by what it is and by everything that decides it. `warn` hears of damage and of waiting.
    """

    root: Path
    warn: Callable[[str], None] = lambda line: None

    def stage(self, name: str, inputs: Mapping[str, object], make: Callable[[], Arrays]) -> Arrays:
        """The arrays that `make` gives, made once per name and inputs by one of all processes that ask at a time.

        The others wait for it, and go on themselves where it dies. A file that is damaged is made anew.
        """
        arrays = self.read(name, inputs)
        if arrays is not None:
            return arrays
        with claim(self._file(name, inputs).with_suffix(".lock"), self.warn):
            arrays = self.read(name, inputs)
            return arrays if arrays is not None else self._write(name, inputs, make())

    def has(self, name: str, inputs: Mapping[str, object]) -> bool:
        """Whether the stage is there; whether it is sound is seen when it is read."""
        return self._file(name, inputs).is_file()

    def read(self, name: str, inputs: Mapping[str, object]) -> Arrays | None:
        """The arrays kept under this name and these inputs, or None; a damaged file is removed, with a warning."""
        file = self._file(name, inputs)
        try:
            with file.open("rb") as stream:
                checksum = stream.read(CHECKSUM)
                if hashlib.file_digest(stream, "sha256").hexdigest().encode() == checksum:
                    stream.seek(CHECKSUM)
                    with np.load(stream, allow_pickle=False) as kept:
                        return {key: kept[key] for key in kept.files}
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MbsError(f"{file} cannot be read ({error.strerror})", "a readable file", f"rm {file}") from error
        self.warn(f"{file} is damaged (its checksum does not hold) and is made anew")
        file.unlink(missing_ok=True)
        return None

    def drop(self, name: str, inputs: Mapping[str, object]) -> None:
        """Forget a stage."""
        self._file(name, inputs).unlink(missing_ok=True)

    def digest_of(self, file: Path) -> str:
        """SHA-256 of a file, computed once for as long as the file system says that it is the same.

        That is: device, inode, size, and the times of the last change of content and of anything (which no program can
        set). A small file, or one changed within the last minute, is digested and not remembered.
        """
        seen = file.stat()
        key = {"device": seen.st_dev, "inode": seen.st_ino, "size": seen.st_size,
               "mtime_ns": seen.st_mtime_ns, "ctime_ns": seen.st_ctime_ns}  # fmt: skip

        def made() -> Arrays:
            return {"sha256": np.frombuffer(bytes.fromhex(digest_file(file)), dtype=np.uint8)}

        if seen.st_size < SMALL or abs(time.time_ns() - seen.st_ctime_ns) < SETTLED:
            return digest_file(file)
        return self.stage("digest", key, made)["sha256"].tobytes().hex()

    def _write(self, name: str, inputs: Mapping[str, object], arrays: Arrays) -> Arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        content = buffer.getbuffer()
        write_whole(self._file(name, inputs), hashlib.sha256(content).hexdigest().encode(), content)
        return arrays

    def _file(self, name: str, inputs: Mapping[str, object]) -> Path:
        return self.root / name / f"{digest(inputs)}.stage"
