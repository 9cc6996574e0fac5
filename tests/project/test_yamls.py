"""Every yaml composes and builds, and an experiment's values win over its groups'."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mbs.cli.config import build
from mbs.cli.paths import config_folder
from mbs.cli.words import with_own_groups


def options() -> list[tuple[str, str]]:
    return sorted((file.parent.name, file.stem) for file in config_folder().glob("*/*.yaml"))


EXTRA = {("mix", "single"): ["mix.language=sw"], ("mix", "custom"): ["mix.weights={en: 1}"],
         ("model", "local"): ["model.path=some/model"], ("experiment", "mixes"): ["model.path=some/model"]}  # fmt: skip


@pytest.mark.guard(
    "conf/pruner/wanda.yaml", "mbs.compression.pruners.wanda.Wanda", "mbs.compression.pruners.wanda.Wnda"
)
@pytest.mark.parametrize(("group", "option"), options())
def test_every_yaml_composes_and_builds(group: str, option: str, corpus_folder: Path, evaluation_folder: Path) -> None:
    own = (
        (group, option) in EXTRA
        or (group, option) in (("corpus", "local"), ("evaluation", "local"))
        or "bloom" in option
    )
    paths = [f"corpus.path={corpus_folder}", f"evaluation.path={evaluation_folder}"] if own else []
    overrides = with_own_groups([f"{group}={option}", *paths, *EXTRA.get((group, option), [])])
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("config", overrides, return_hydra_config=group == "experiment")
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    settings = build(config)
    assert settings.segments >= 1
    assert group in ("experiment", "debug") or settings.config[group]["_target_"].startswith("mbs.")


def test_an_experiments_values_win() -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        assert compose("config", ["experiment=mixes"]).calibration.segments == 128
        assert compose("config", ["experiment=mixes", "debug=tiny"]).calibration.segments == 20
