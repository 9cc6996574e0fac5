"""What the table marks as a finding."""

from __future__ import annotations

from mbs.report.table import is_finding


def test_a_difference_below_a_thousand_items_is_no_finding() -> None:
    rows = {code: {"n": n, "p": p} for code, n, p in (("en", 1000, 0.02), ("sw", 999, 0.001), ("yo", 5000, 0.04))}
    assert is_finding(rows) == {"en": True, "sw": False, "yo": True}
    assert is_finding({"en": rows["en"], "yo": rows["yo"], "sw": {"n": 2000, "p": 0.9}}) == {
        "en": False, "yo": False, "sw": False,
    }  # fmt: skip
