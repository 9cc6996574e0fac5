"""What is typed: words that choose an option by themselves, words that Hydra cannot read, and the jobs of a sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser

from mbs.errors import MbsError

OWN_PATH = re.compile(r"\+{0,2}(model|corpus|evaluation)\.(?:path|normalize)=(?!embedded:)")
NUMBER_AS_GROUP = re.compile(r"\+{0,2}sparsity=([\d.:%,]+)$")


def with_own_groups(arguments: Sequence[str]) -> list[str]:
    """The words typed, and `model=local` for a `model.path=...` (corpus and evaluation likewise) that has no option.

    The embedded default would otherwise lend its shares to a model that has others.
    """
    matches = [OWN_PATH.match(argument) for argument in arguments]
    named = {match[1] for match in matches if match}
    chosen = {argument.partition("=")[0] for argument in arguments}
    first = next((place for place, match in enumerate(matches) if match), 0)
    added = [f"{group}=local" for group in sorted(named - chosen)]
    return [*arguments[:first], *added, *arguments[first:]]  # beside it: a flag between overrides would end them


def check_words(arguments: Sequence[str]) -> None:
    """Raise MbsError for an option that looks like a number (YAML reads 2:4 as 124) and a list without brackets."""
    for argument in arguments:
        if re.match(r"languages=[^\[,]+,", argument) and "-m" not in arguments and "--multirun" not in arguments:
            raise MbsError(argument, "a list in brackets", f"'languages=[{argument.partition('=')[2]}]'")
        match = NUMBER_AS_GROUP.match(argument)
        if not match:
            continue
        typed = match[1]
        if ":" in typed:
            remedy = f"sparsity={typed.replace(':', 'of')}"
        else:
            levels = [float(level) for level in re.findall(r"\d+\.?\d*|\.\d+", typed)]
            remedy = "sparsity.ratio=" + ",".join(f"{level / 100 if level >= 1 else level:g}" for level in levels)
        raise MbsError(f"{argument}", "a pattern: unstructured, 2of4, 4of8 or none", remedy)


def position_in_sweep(arguments: Sequence[str]) -> str:
    """Which job of a sweep this is and what varies in it, such as `3 of 18: mix=mbs seed=2`; called inside a job.

    A sweep is spanned by the lists that are typed and by those of an experiment's `hydra.sweeper.params`, where what is
    typed wins.
    """
    config = HydraConfig.get()
    params: Mapping[str, object] = config.sweeper.get("params") or {}
    typed = [argument for argument in arguments if not argument.startswith("-")]
    overrides = OverridesParser.create().parse_overrides([*(f"{key}={value}" for key, value in params.items()), *typed])
    sizes = {override.get_key_element(): _size(override) for override in overrides}
    varying = {key for key, size in sizes.items() if size > 1}
    values = [word for word in config.overrides.task if word.partition("=")[0] in varying]
    return f"{config.job.num + 1} of {math.prod(sizes.values())}: {' '.join(values)}".rstrip(": ")


def _size(override: object) -> int:
    """How many values an override of Hydra takes in a sweep."""
    sweeps = override.is_sweep_override()  # type: ignore[attr-defined]
    return len(list(override.sweep_string_iterator())) if sweeps else 1  # type: ignore[attr-defined]
