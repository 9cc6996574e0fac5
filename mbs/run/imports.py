"""Imports of the large libraries, without what makes them slower than they are."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: imports make what stays, and each collection would look through all of it again.

    With torch and transformers that is a seventh of the time that importing takes. What an import has brought is not
    looked through later either.
    """
    collecting, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:  # else it would be the garbage of earlier runs that is kept
            gc.freeze()
        if collecting:
            gc.enable()
