"""The command `mbs-similarity`: which languages are near one another in what the model's first block is given."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from mbs.cli.main import leave, one_job, warn
from mbs.cli.mistakes import guarded
from mbs.cli.paths import config_folder
from mbs.cli.words import with_own_groups

HELP = (
    "mbs-similarity compares the languages of a corpus, or languages=[...], with the overrides of mbs."
    " calibration.segments is the number of segments of EACH language here, calibration.length their tokens."
    " Example: mbs-similarity model.path=M corpus.path=TEXT calibration.segments=8 calibration.length=256"
)


def main() -> None:
    """Entry point of `mbs-similarity` and `python -m mbs.cli.similarity`."""
    typed = with_own_groups(sys.argv[1:])
    helping = {"-h", "--help"} & {*typed}
    sys.argv = [sys.argv[0], *(("--help", f'hydra.help.header="{HELP}"') if helping else typed)]
    leave(guarded(_hydra, sys.argv[1:]))


@hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
def _hydra(config: DictConfig) -> None:
    one_job(_run, config)


def _run(config: DictConfig) -> None:
    from rich.console import Console

    from mbs.cli.config import build_survey
    from mbs.engine.switches import quiet_transformers
    from mbs.report.compare import GENERATED
    from mbs.report.similarity import show, write
    from mbs.run.survey import survey

    with quiet_transformers():
        found = survey(build_survey(config), warn)
    write(found)
    show(found.measures, Console())
    if found.settings.corpus.provenance()["kind"] == "generated":
        print(GENERATED)
    print(f"results in {found.directory}", flush=True)


if __name__ == "__main__":
    main()
