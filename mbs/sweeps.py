"""Sweeps of many jobs, without what Hydra does twice."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

WAITING = 64  # configurations held at a time, of about a megabyte each


@contextmanager
def composed_once() -> Iterator[None]:
    """Compose every job of a sweep once, from files that are read once.

    Hydra composes each job to see that it can, before the first one starts, and again to run it; and it reads some
    fifteen files each time. Here the second time takes what the first has made, which is most of what a sweep that is
    finished already does after its imports, and a file that is edited while a sweep runs changes none of its jobs.
    """
    compose, check = ConfigLoaderImpl.load_sweep_config, Sweeper.validate_batch_is_legal
    load = ConfigRepository.load_config
    made: dict[tuple[str, ...], DictConfig] = {}
    read: dict[tuple[str, ...], ConfigResult | None] = {}
    checking = False

    def kept(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        key = (config_path, *(source.path for source in self.sources))
        if key not in read:
            read[key] = load(self, config_path)
        return copy.deepcopy(read[key])

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

    ConfigRepository.load_config = kept  # type: ignore[method-assign]
    ConfigLoaderImpl.load_sweep_config = once  # type: ignore[method-assign]
    Sweeper.validate_batch_is_legal = checked  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigRepository.load_config = load  # type: ignore[method-assign]
        ConfigLoaderImpl.load_sweep_config = compose  # type: ignore[method-assign]
        Sweeper.validate_batch_is_legal = check  # type: ignore[method-assign]
