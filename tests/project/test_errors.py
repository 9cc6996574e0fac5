"""Errors read well: found, expected, and what to try."""

from __future__ import annotations

from mbs.errors import MbsError, closest, unknown


def test_errors_read_well() -> None:
    error = MbsError("a\n b", "c", "d")
    assert error.line == "mbs: a b; expected c; try d"
    assert str(unknown("mix", "mbz", ["mbs", "english"])).endswith("try 'mbs'")
    assert closest("qqqq", ["mbs"]) == ""
