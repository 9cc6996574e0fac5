"""The identity of a run: its configuration, the content of everything it reads, and the code that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mbs.engine.checkpoint import checkpoint_digest
from mbs.engine.devices import resolved_device
from mbs.errors import MbsError
from mbs.run.environment import versions
from mbs.run.plan import RunPlan
from mbs.run.settings import Settings
from mbs.storage.cache import Store
from mbs.storage.digests import digest
from mbs.storage.files import slug

OUTSIDE = ("tracker", "outputs", "rerun")  # what decides no number


@dataclass(frozen=True)
class Identity:
    """What a run is; two runs of one identity have one result.

    `config` is the resolved configuration without trackers, places and launchers. `content` holds digests by what was
    digested: `model`, `shares`, `corpus/sw`, `evaluation/sw`, `tasks/xnli/sw`, `code/mine` for user plug-in modules.
    `code` holds versions of Python, libraries and this package, with a digest of its sources where they are edited in
    place.
    """

    config: Mapping[str, Any]
    content: Mapping[str, Any]
    code: Mapping[str, str]

    @cached_property
    def id(self) -> str:
        """SHA-256 of all of it."""
        return digest(asdict(self))

    def plugins(self, *groups: str) -> dict[str, Any]:
        """Digests of the user plug-in modules that these groups of the configuration name."""
        named = plugin_modules([self.config.get(group) for group in groups])
        return {name: self.content[f"code/{name}"] for name in named}

    def changes(self, earlier: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """What differs from an earlier identity (as plain data) besides the configuration, by name."""
        return [*_changed(earlier["content"], self.content), *_changed(earlier["code"], self.code)]


def identify(settings: Settings, plan: RunPlan, store: Store) -> Identity:
    """The identity, from digests of files alone: no text is tokenized and no model is loaded.

    Raises MbsError for a file that cannot be read.
    """
    try:
        return _identify(settings, plan, store)
    except OSError as error:
        raise MbsError(f"{error.filename} cannot be read ({error.strerror})", "a readable file") from error


def _identify(settings: Settings, plan: RunPlan, store: Store) -> Identity:
    config = {key: value for key, value in settings.config.items() if key not in OUTSIDE}
    for group in ("model", "corpus", "evaluation"):
        config[group] = _without_paths(dict(config.get(group) or {}))
    config["model"].pop("shares", None)
    config["model"]["device"] = resolved_device(settings.model.device).partition(":")[0]
    shares = settings.shares
    content: dict[str, Any] = {
        "model": checkpoint_digest(plan.folder, store.digest_of),
        "shares": {code: str(amount) for code, amount in shares.amounts.items()} if shares else None,
    }
    if plan.segments and settings.corpus:
        for code in plan.segments.counts:
            content[f"corpus/{code}"] = settings.corpus.content(code, store.digest_of)
        content["corpus/languages"] = list(settings.corpus.languages)
    if settings.evaluation:
        for code in plan.languages:
            content[f"evaluation/{code}"] = settings.evaluation.content(code, store.digest_of)
    if settings.tasks:
        rows = settings.tasks.content(settings.languages, store.digest_of)
        content |= {f"tasks/{name}": held for name, held in rows.items()}
    content |= {f"code/{name}": store.digest_of(file) for name, file in plugin_modules(config).items()}
    return Identity(config, content, versions())


def plugin_modules(config: object) -> dict[str, Path]:
    """The files of the modules that a configuration names beside this package's (`_target_: mine.pruners.Best`)."""
    if isinstance(config, list):
        return {name: file for held in config for name, file in plugin_modules(held).items()}
    if not isinstance(config, dict):
        return {}
    found = {name: file for held in config.values() for name, file in plugin_modules(held).items()}
    parts = str(config.get("_target_", "")).split(".")[:-1]  # of a module, or of a class in one
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    module = next((name for name in names if name in sys.modules), "mbs")
    file = getattr(sys.modules[module], "__file__", None)
    if module.split(".")[0] != "mbs" and file:
        found[module] = Path(file)
    return found


def same_configuration(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations as typed, with their paths, are the same but for trackers and places."""
    return _inside(one) == _inside(other)


def run_name(settings: Settings) -> str:
    """The readable parts of the run's directory name, which cannot leave the output root."""
    parts = (settings.model.name, settings.pruner.name, settings.sparsity.name, settings.mix.name)
    return "-".join(slug(str(part), 40) for part in parts)


def _inside(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in OUTSIDE}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in {**before, **now} if before.get(name) != now.get(name))


def _without_paths(value: object) -> Any:
    """Plain data without the keys that say where things lie: what lies there counts by its content."""
    if isinstance(value, dict):
        return {key: _without_paths(held) for key, held in value.items() if key != "path"}
    return value
