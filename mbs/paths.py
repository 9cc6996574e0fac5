"""Where things lie: the configuration folder, safe names under the output root, files written whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """The folder of yaml groups: inside the package when installed from a wheel, beside it in a source tree."""
    for folder in (_HERE / "conf", _HERE.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/config.yaml in {_HERE} or beside it")


def slug(text: str, longest: int = 32) -> str:
    """A file-name part of lower-case ASCII letters, digits, dots and underscores that cannot leave its folder."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "_", plain).strip("._")[:longest].strip("._") or "x"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or all of the new one, even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
