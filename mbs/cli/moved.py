"""Where modules of release 0.1.0 lie now: a user's yaml with an old `_target_` is told the new one."""

from __future__ import annotations

from mbs.errors import MbsError

MOVED = {
    "mbs.corpora": "mbs.data.corpora",
    "mbs.evaluators": "mbs.evaluation",
    "mbs.hub": "mbs.data.corpora.xlsum",
    "mbs.languages": "mbs.data.languages",
    "mbs.mixes": "mbs.data.mixes",
    "mbs.models": "mbs.engine.checkpoint",
    "mbs.moments": "mbs.compression.moments",
    "mbs.pruners": "mbs.compression.pruners",
    "mbs.pruners.base": "mbs.compression.method",
    "mbs.sampler": "mbs.data.sampler",
    "mbs.shares": "mbs.data.shares",
    "mbs.sparsity": "mbs.compression.sparsity",
    "mbs.tasks": "mbs.evaluation.tasks",
    "mbs.tokenizer": "mbs.engine.tokenizer",
}


def new_place(name: str) -> str | None:
    """The present name of a module, or of something in one, that has moved; None where it has not."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        moved = MOVED.get(".".join(parts[:length]))
        if moved:
            return ".".join([moved, *parts[length:]])
    return None


def refuse_moved(config: object, key: str = "") -> None:
    """Raise MbsError, naming the new `_target_`, for the first old one in a configuration."""
    if isinstance(config, dict):
        target = str(config.get("_target_", ""))
        place = new_place(target)
        if place:
            field = f"{key}._target_".lstrip(".")
            raise MbsError(f"{field}={target}, which has moved", f"{field}={place}", "that line in the yaml file")
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for name, value in items:
        refuse_moved(value, f"{key}.{name}".lstrip("."))


def moved_import(error: BaseException | None) -> MbsError | None:
    """The one line for a user's module that imports one of ours by its old name, or None for any other error."""
    while error is not None:
        place = new_place(error.name or "") if isinstance(error, ModuleNotFoundError) else None
        if place:
            return MbsError(f"a module of yours imports {error.name}, which has moved", place, f"import {place}")  # type: ignore[attr-defined]
        error = error.__cause__ or error.__context__
    return None
