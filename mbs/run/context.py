"""What every step of one run is given."""

from __future__ import annotations

from dataclasses import dataclass

from mbs.run.folder import RunFolder
from mbs.run.identity import Identity
from mbs.run.log import Log
from mbs.run.plan import RunPlan
from mbs.run.settings import Settings
from mbs.storage.cache import Store


@dataclass(frozen=True)
class RunContext:
    """A run's settings, what follows from them before any text is read, and the places where it writes."""

    settings: Settings
    log: Log
    plan: RunPlan
    identity: Identity
    folder: RunFolder
    store: Store
