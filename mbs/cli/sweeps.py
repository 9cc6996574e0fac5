"""Sweeps of many jobs, without what Hydra does twice."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from unittest.mock import patch

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

WAITING = 64  # configurations held at a time, of about a megabyte each
T = TypeVar("T")


@contextmanager
def composed_once() -> Iterator[None]:
    """Compose every job of a sweep once, from files that are read once and merged once for each choice of options.

    Hydra composes each job to see that it can, before the first one starts, and again to run it; it reads some fifteen
    files each time, and merges them, though most jobs differ in values alone. That is most of what a sweep that is
    finished already does after its imports. A file that is edited while a sweep runs changes none of its jobs.
    """
    with ExitStack() as patches:
        for owner, name, instead in (*_jobs(), *_files()):
            patches.enter_context(patch.object(owner, name, instead))
        yield


def _jobs() -> Iterator[tuple[object, str, object]]:
    """A job is composed when the sweep is checked, and handed out when it runs."""
    compose, check = ConfigLoaderImpl.load_sweep_config, Sweeper.validate_batch_is_legal
    made: dict[tuple[str, ...], DictConfig] = {}
    checking = False

    def once(self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        key = tuple(sweep_overrides)
        if not checking and key in made:
            return made.pop(key)  # the job may change it, so that the same job again composes for itself
        config = compose(self, master_config, sweep_overrides)
        if checking and len(made) < WAITING:
            made[key] = config
        return config

    def checked(self: Sweeper, batch: Sequence[Sequence[str]]) -> None:
        nonlocal checking
        checking = True
        try:
            check(self, batch)
        finally:
            checking = False

    yield ConfigLoaderImpl, "load_sweep_config", once
    yield Sweeper, "validate_batch_is_legal", checked


def _files() -> Iterator[tuple[object, str, object]]:
    """A file is read once, and what a choice of options leads to is found and merged once; every job has a copy."""
    load, merge = ConfigRepository.load_config, ConfigLoaderImpl._compose_config_from_defaults_list
    read: dict[object, ConfigResult | None] = {}
    chosen: dict[object, DefaultsList] = {}
    merged: dict[object, DictConfig] = {}

    def read_once(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        key = (config_path, *_places(self))
        if key not in read:
            read[key] = load(self, config_path)
        return copy.deepcopy(read[key])

    def chosen_once(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], **how: bool
    ) -> DefaultsList:
        values = Overrides(repo, overrides_list).config_overrides
        options = [override.input_line for override in overrides_list if override not in values]
        key = (config_name, *options, *how.items(), *_places(repo))
        found = _kept(chosen, key, lambda: create_defaults_list(repo, config_name, overrides_list, **how))
        return replace(found, config_overrides=values)

    def merged_once(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        key = (*(repr(default) for default in defaults), *_places(repo))
        return copy.deepcopy(_kept(merged, key, lambda: merge(self, defaults, repo)))

    yield ConfigRepository, "load_config", read_once
    yield config_loader_impl, "create_defaults_list", chosen_once
    yield ConfigLoaderImpl, "_compose_config_from_defaults_list", merged_once


def _kept(held: dict[object, T], key: object, make: Callable[[], T]) -> T:
    """What is held under this key, or else made, and held if there is room."""
    if key in held:
        return held[key]
    value = make()
    if len(held) < WAITING:
        held[key] = value
    return value


def _places(repo: Any) -> tuple[str, ...]:
    return tuple(source.path for source in repo.get_sources())
