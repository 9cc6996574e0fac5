"""Every line that a test guards is in the code, once."""

from __future__ import annotations

from conftest import ROOT
from guards import guards


def test_every_guarded_line_is_in_the_code_once() -> None:
    found = guards()
    assert len(found) > 20
    for guard in found:
        assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.line) == 1, guard
