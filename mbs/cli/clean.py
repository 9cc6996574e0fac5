"""The command `mbs-clean`: what runs have left in an output folder, and how to free it."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from mbs.errors import MbsError
from mbs.run.folder import BLOCKS, STAGED, STARTED, is_staged, lock_of, read_started
from mbs.storage.cache import Store
from mbs.storage.files import PART
from mbs.storage.locks import Claimed, claim, is_claimed, owner_of
from mbs.storage.record import RESULT

LOCK = ".lock"
PIECE = re.compile(rf"\..+\.[0-9a-f]{{32}}{re.escape(PART)}")  # what `write_whole` writes first
KINDS = {
    "unfinished": "directories of runs that have no result and that nobody works on, with their finished blocks",
    "parts": "pieces of files and claims that a killed process left",
    "store": "all that is kept for reuse: scores, calibration sets, digests (made again when needed)",
}


@dataclass(frozen=True)
class Leftover:
    """Files that can go: of which kind, what they are, and the claim without which they must not."""

    kind: str
    name: str
    files: tuple[Path, ...]
    lock: Path | None = None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        inside = (path for file in self.files for path in (file.rglob("*") if file.is_dir() else (file,)))
        return sum(path.lstat().st_size for path in inside if path.is_file())


def leftovers(outputs: Path) -> list[Leftover]:
    """Everything under an output folder that is no result; nothing that a living process works on is named."""
    if not outputs.is_dir():
        raise MbsError(f"{outputs} is no folder", "a folder of runs", "mbs-clean outputs")
    return [*_unfinished(outputs), *_parts(outputs), *_stored(outputs / ".store")]


def free(found: Leftover) -> None:
    """Remove it, unless someone has claimed it since; giving up a claim removes its file."""
    with suppress(Claimed), claim(found.lock) if found.lock else nullcontext():
        for file in found.files:
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)


def main() -> None:
    """Entry point of `mbs-clean` and `python -m mbs.cli.clean`."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    parser = argparse.ArgumentParser(prog="mbs-clean", description=f"{__doc__} Kinds: {kinds}.")
    parser.add_argument("outputs", type=Path, nargs="?", default=Path("outputs"), help="default: outputs")
    parser.add_argument("--free", nargs="+", choices=KINDS, default=[], metavar="KIND", help=", ".join(KINDS))
    asked = parser.parse_args()
    try:
        sys.exit(_clean(asked.outputs, asked.free))
    except (MbsError, OSError) as error:
        print(error.line if isinstance(error, MbsError) else f"mbs: {error}", file=sys.stderr)
        sys.exit(2)


def _clean(outputs: Path, kinds: list[str]) -> int:
    if is_busy(outputs) and "store" in kinds:
        raise MbsError(f"runs in {outputs} are being made, and use the store", "no run under way", "--free unfinished")
    found = leftovers(outputs)
    for one in found:
        print(f"{one.kind:<12}{_readable(one.size):>10}  {one.name}{'  freed' if one.kind in kinds else ''}")
        if one.kind in kinds:
            free(one)
    left = [one for one in found if one.kind not in kinds]
    total = _readable(sum(one.size for one in left))
    words = " ".join(dict.fromkeys(one.kind for one in left))
    print(f"{total} can be freed: mbs-clean {outputs} --free {words}" if left else f"nothing to free in {outputs}")
    return 0


def is_busy(outputs: Path) -> bool:
    """Whether a living process makes a run there."""
    return any(is_claimed(lock) for lock in (outputs / ".store" / "run").glob("*.lock"))


def _unfinished(outputs: Path) -> Iterator[Leftover]:
    store = Store(outputs / ".store")
    for file in sorted(outputs.glob(f"*/{STARTED}")):
        started = read_started(file.parent)
        if started is None:  # someone else's
            continue
        lock = lock_of(store, started["id"])
        if is_claimed(lock):
            print(f"{file.parent.name} is being made by {owner_of(lock) or 'another process'}")
            continue
        blocks = file.parent / BLOCKS
        finished = len(list(blocks.glob("block/*.stage")))
        own = [file, blocks] if (file.parent / RESULT).exists() else [file.parent]
        yield Leftover("unfinished", f"{file.parent.name} ({finished} blocks finished)", tuple(own), lock)


def _parts(outputs: Path) -> Iterator[Leftover]:
    if is_busy(outputs):
        return
    pieces = [path for pattern in ("*", "*/*", ".store/*/*") for path in outputs.glob(pattern)]
    pieces = [path for path in pieces if PIECE.fullmatch(path.name)]
    pieces += [path for path in outputs.glob(f"*/{STAGED}") if (path.parent / RESULT).exists()]
    pieces = [path for path in pieces if not is_staged(path.parent)]  # it is whole, and the run goes on from it
    for path in sorted(pieces):
        yield Leftover("parts", path.relative_to(outputs).as_posix(), (path,))
    for lock in sorted((outputs / ".store").rglob(f"*{LOCK}")):
        yield Leftover("parts", lock.relative_to(outputs).as_posix(), (), lock)


def _stored(store: Path) -> Iterator[Leftover]:
    for folder in sorted(path for path in store.glob("*") if path.is_dir()):
        files = tuple(folder.glob("*.stage"))
        if files:
            yield Leftover("store", f"{folder.name} ({len(files)} files)", files)


def _readable(size: int) -> str:
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


if __name__ == "__main__":
    main()
