"""Identity by content, and results that are made once and reused."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from mbs.paths import write_whole

Arrays = dict[str, np.ndarray]


def strict_json(value: object, indent: int | None = None) -> str:
    """JSON that every parser reads: no NaN, no infinity."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)


def digest(value: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_files(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents of files, in the order of their names."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        with file.open("rb") as stream:
            total.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\0".encode())
    return total.hexdigest()


def stage(root: Path, name: str, inputs: Mapping[str, object], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` gives, made once per name and inputs, kept under `root`, and checked when read again.

    A file that is damaged (its stored checksums do not hold) is made anew.
    """
    found = held(root, name, inputs)
    return found if found is not None else keep(root, name, inputs, make())


def held(root: Path, name: str, inputs: Mapping[str, object]) -> Arrays | None:
    """The arrays kept under this name and these inputs, or None; a damaged file is removed."""
    file = _file(root, name, inputs)
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:
            return {key: kept[key] for key in kept.files}
    except FileNotFoundError:
        pass
    except PermissionError:
        raise
    except Exception:  # zipfile raises many kinds of errors on damaged files
        file.unlink(missing_ok=True)
    return None


def keep(root: Path, name: str, inputs: Mapping[str, object], arrays: Arrays) -> Arrays:
    """Keep the arrays under this name and these inputs, whole or not at all, and give them back."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(_file(root, name, inputs), buffer.getvalue())
    return arrays


def _file(root: Path, name: str, inputs: Mapping[str, object]) -> Path:
    return root / f"{name}-{digest(inputs)}.npz"
