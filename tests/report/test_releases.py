"""Outputs of earlier releases are still read."""

from __future__ import annotations

import pytest
from conftest import ROOT

OUTPUTS = ROOT / "tests" / "outputs"


@pytest.mark.guard("mbs/storage/record.py", "checksum is not None and digest(whole)", "digest(whole)")
@pytest.mark.parametrize("release", sorted(path.name for path in OUTPUTS.iterdir()))
def test_outputs_of_each_release_are_read(release: str) -> None:
    import mbs

    frame = mbs.runs(OUTPUTS / release)
    assert {"harm", "perplexity"} <= {*frame["metric"]}
    assert frame["value"].notna().any()
