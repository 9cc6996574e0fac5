"""Weights & Biases as a mirror of the run, offline by itself when there is no login."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mbs.trackers.base import Row, RunInfo

COLUMNS = ("language", "share", "dense perplexity", "perplexity", "harm", "bits per byte")


@dataclass
class WandbTracker:
    """Logs blocks and languages as they come, per-language summary keys and one table at the end."""

    project: str = "mbs"
    entity: str | None = None
    mode: str | None = None
    _run: Any = field(default=None, init=False, repr=False)

    def start(self, run: RunInfo) -> None:
        """Open the W&B run in the run's directory."""
        import wandb

        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=cast(Any, self.mode or default_mode()),
            name=run.name,
            dir=str(run.directory.resolve()),  # its service may have been started in another folder
            config=dict(run.config),
            tags=[tag[:64] for tag in run.tags],
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", init_timeout=60),
        )

    def log(self, event: Row) -> None:
        """Log the event's numbers under its kind and subject: `stage/dense/seconds`, `language/sw/harm`."""
        parts = [event["event"], *(event[key] for key in ("stage", "task", "language") if key in event)]
        prefix = "/".join(str(part) for part in parts)
        numbers = {f"{prefix}/{key}": value for key, value in event.items() if isinstance(value, int | float)}
        if numbers:
            self._run.log(numbers)

    def finish(self, result: Row) -> None:
        """Write summary keys and the table of languages, and close the run."""
        import wandb

        languages = cast(Mapping[str, Any], result["languages"])
        table = wandb.Table(columns=list(COLUMNS))
        for code, row in languages.items():
            dense, compressed = row["dense"], row["compressed"]
            table.add_data(code, row["share"], dense["perplexity"], compressed["perplexity"], row["harm"],
                           compressed["bits_per_byte"])  # fmt: skip
            self._run.summary[f"harm/{code}"] = row["harm"]
            self._run.summary[f"perplexity/{code}"] = compressed["perplexity"]
            self._run.summary[f"dense_perplexity/{code}"] = dense["perplexity"]
        self._run.log({"languages": table})
        for family, rows in cast(Mapping[str, Any], result["tasks"]).items():
            for code, row in rows.items():
                self._run.summary[f"{family}/{code}"] = row["accuracy_compressed"]
                self._run.summary[f"dense_{family}/{code}"] = row["accuracy_dense"]
        summary = cast(Mapping[str, Any], result["summary"] or {})
        self._run.summary.update({key: value for key, value in summary.items() if not isinstance(value, list | dict)})
        self._run.finish()

    def fail(self, hurry: bool = False) -> None:
        """Close the run as failed."""
        self._run.finish(exit_code=1)


def default_mode() -> str:
    """What WANDB_MODE says; else online where there is a login, and offline where there is none."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].strip("/")
    return "online" if os.environ.get("WANDB_API_KEY") or _in_netrc(host) else "offline"


def _in_netrc(host: str) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC") or str(Path.home() / ".netrc")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
