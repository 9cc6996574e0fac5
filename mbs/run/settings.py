"""A run as plain objects: what the configuration builds and the pipeline runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbs.compression.method import Pruner
from mbs.compression.sparsity import Sparsity
from mbs.data.corpora.base import Corpus
from mbs.data.languages import LANGUAGES, Language
from mbs.data.mixes import Mix
from mbs.data.shares import Shares
from mbs.engine.checkpoint import ModelSource
from mbs.errors import unknown
from mbs.evaluation.tasks.suite import Tasks
from mbs.evaluation.windows import PerplexityTask
from mbs.trackers.base import Tracker

RERUNS = ("changed", "always", "never")


@dataclass(frozen=True)
class Settings:
    """A run as plain objects; `config` is the same as plain data, for the record.

    `task` says how the text of `evaluation` is measured; without a text, or without `tasks`, the other alone is.
    """

    model: ModelSource
    mix: Mix
    pruner: Pruner
    sparsity: Sparsity
    corpus: Corpus | None
    task: PerplexityTask
    evaluation: Corpus | None
    tracker: Tracker
    tasks: Tasks | None = None
    continuations: int = 0
    shares: Shares | None = None
    languages: tuple[str, ...] | None = None
    table: Mapping[str, Language] = field(default_factory=lambda: LANGUAGES)
    segments: int = 256
    length: int = 2048
    seed: int = 0
    save: str = "none"
    batch_tokens: int = 4096
    outputs: Path = Path("outputs")
    rerun: str = "changed"
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rerun not in RERUNS:
            raise unknown("rerun", str(self.rerun), RERUNS)


@dataclass(frozen=True)
class SurveySettings:
    """A comparison of languages as plain objects: `segments` of `length` tokens from each language of the corpus."""

    model: ModelSource
    corpus: Corpus
    languages: tuple[str, ...] | None = None
    segments: int = 256
    length: int = 2048
    seed: int = 0
    batch_tokens: int = 4096
    outputs: Path = Path("outputs")
    config: Mapping[str, Any] = field(default_factory=dict)
