"""XL-Sum is read as the paper does, and one line says so where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SYLLABLES, Run, invented
from runs import result_of

from mbs.data.corpora.xlsum import XLSum
from mbs.errors import MbsError


def parquet(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "0000.parquet")


def test_xlsum_is_read_as_the_paper_does(tmp_path: Path, bare_run: Run) -> None:
    for language, name in (("en", "english"), ("sw", "swahili")):
        articles = [{"id": f"{name}-{n}", "url": "u", "text": invented(language, 40, n)} for n in range(4)]
        parquet(tmp_path / "xlsum" / name / "validation", articles)
    lines = [{"text": " = Title = \n"}, {"text": ""}, {"text": invented("en", 60)}]
    parquet(tmp_path / "xlsum" / "wikitext-2-raw-v1" / "test", lines)
    corpus = XLSum(str(tmp_path / "xlsum"))
    assert [document.id for document in corpus.documents("sw")] == [f"swahili-{n}" for n in range(4)]
    assert "\n\n".join(d.text for d in corpus.documents("wikitext2")) == "\n\n".join(row["text"] for row in lines)
    with pytest.raises(MbsError, match="XL-Sum has no it; expected one of en, zh-Hans"):
        corpus.documents("it")
    with pytest.raises(MbsError, match=r"french/validation/\*\.parquet cannot be read \(FileNotFoundError"):
        corpus.documents("fr")
    with pytest.raises(MbsError, match="names no folder"):
        XLSum(str(tmp_path / "nowhere"))
    code, out, err = bare_run("evaluation=xlsum", f"evaluation.corpus.path={tmp_path / 'xlsum'}",
                              "languages=[en,sw,wikitext2]", "mix=uniform")  # fmt: skip
    assert (code, err) == (0, "")
    assert "WikiText-2" in out
    found = result_of()
    harms = {code: row["harm"] for code, row in found["languages"].items()}
    assert harms.keys() == {"en", "sw", "wikitext2"}
    assert found["summary"]["harm_mean"] == pytest.approx((harms["en"] + harms["sw"]) / 2)
    assert found["calibration"]["segments"].keys() == {"en", "sw"}


def test_xlsum_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(MbsError, match=r"swahili/validation/\*\.parquet cannot be read .*evaluation\.path=FOLDER"):
        XLSum().documents("sw")
    assert set(SYLLABLES) <= {*XLSum().languages}
    assert XLSum().languages[-1] == "wikitext2"
