"""The one error that a person is meant to read: what was found, what was expected, what to type next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MbsError(Exception):
    """A mistake or a limit that one line explains; the command line prints that line and exits with code 2."""

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        self.found = found
        parts = [found]
        if expected:
            parts.append(f"expected {expected}")
        if remedy:
            parts.append(f"try {remedy}")
        super().__init__("; ".join(" ".join(part.split()) for part in parts))
        self.reported = False

    @property
    def line(self) -> str:
        """The whole message on one line, as printed."""
        return f"mbs: {self}"


def closest(word: str, options: Iterable[str]) -> str:
    """The option that looks most like `word`, or an empty string."""
    lowered = {option.lower(): option for option in options}
    match = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[match[0]] if match else ""


def unknown(what: str, word: str, options: Iterable[str], remedy: str = "") -> MbsError:
    """The error for a name outside a closed list, with the list and the nearest entry."""
    names = list(options)
    nearest = closest(word, names)
    return MbsError(f"unknown {what} '{word}'", f"one of {', '.join(names)}", f"'{nearest}'" if nearest else remedy)
