"""Imports of the large libraries, without what makes them slower than they are."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: imports make what stays, and each collection would look through all of it again.

    With torch and transformers that is a seventh of the time that importing takes. What is there at the end is not
    looked through later either.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
