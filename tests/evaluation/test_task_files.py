"""Which tasks are asked, which file of rows is read, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_rows import ROWS, write

from mbs.errors import MbsError
from mbs.evaluation.tasks.suite import Tasks

pytestmark = pytest.mark.usefixtures("quiet_imports")


def test_which_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, "xnli/en.test.jsonl", [ROWS["xnli"]])
    write(tmp_path, "xnli/zh.validation.jsonl", [ROWS["xnli"]] * 2)
    write(tmp_path, "xnli/yo.jsonl", [ROWS["xnli"]] * 3)
    found = {text.language: text for text in Tasks("xnli", str(tmp_path)).read()}
    assert {language: len(text.rows) for language, text in found.items()} == {"en": 1, "zh-Hans": 2, "yo": 3}
    assert found["en"].source == "en.test.jsonl"
    write(tmp_path, "xnli/en.validation.jsonl", [ROWS["xnli"]] * 4)
    (text,) = Tasks("xnli", str(tmp_path), limit=3).read(("en",))
    assert text.source == "en.validation.jsonl"
    assert len(text.rows) == 3
    write(tmp_path, "xcopa/sw.a.jsonl", [ROWS["xcopa"]])
    write(tmp_path, "xcopa/sw.b.jsonl", [ROWS["xcopa"]])
    with pytest.raises(MbsError, match=r"sw.a.jsonl, .*sw.b.jsonl; expected one file per language, or sw.test.jsonl"):
        Tasks("xcopa", str(tmp_path)).read()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, "xnli/fr.jsonl", [ROWS["xnli"]])
    write(tmp_path, "xcopa/sw.jsonl", [ROWS["xcopa"]])
    folder = str(tmp_path)
    found = Tasks(["xcopa", "xnli"], folder).read(("fr", "sw", "de"))
    assert [(text.family, text.language) for text in found] == [("xcopa", "sw"), ("xnli", "fr")]
    assert [text.language for text in Tasks("all", folder, languages=["sw", "sw"]).read()] == ["sw"]
    for tasks, line in [
        (
            Tasks("xnli", folder, languages=["fr", "sw"]),
            "xnli: no rows in sw under .*; expected languages of fr; try xnli/sw",
        ),
        (Tasks("xnli", folder, languages="ha"), "xnli: no rows in ha under .*; expected languages of fr; "),
        (
            Tasks("paper", folder, languages=["fr", "hi"]),
            "no rows in hi under .*; expected languages of sw, fr|fr, sw; try ",
        ),
        (
            Tasks("pawsx", folder),
            "pawsx: no rows in fr, sw under .*; expected one task in one language at least; try pawsx/fr.jsonl",
        ),
    ]:
        with pytest.raises(MbsError, match=line):
            tasks.read(("fr", "sw"))
    with pytest.raises(MbsError, match=r"no rows under .*; expected one task in one language"):
        Tasks("paper", str(tmp_path / "xnli")).read()


def test_settings_are_checked_when_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(MbsError, match=r"unknown evaluation.tasks.names 'xnly'; expected one of .*; try 'xnli'"):
        Tasks("xnly")
    with pytest.raises(MbsError, match=r"evaluation.tasks.names is empty; expected one or more of xnli, "):
        Tasks([])
    for limit in (0, -1, 1.5, True, "3"):
        with pytest.raises(MbsError, match=rf"evaluation.tasks.limit={limit}; expected a whole number"):
            Tasks("xnli", limit=limit)  # type: ignore[arg-type]
    with pytest.raises(MbsError, match=r"evaluation.tasks.path names no folder"):
        Tasks("xnli", str(tmp_path / "none"))


def test_the_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)  # or it asks again and again, through closed sockets
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MbsError) as caught:
        Tasks("xnli", limit=2).read(("fr",))
    assert "the hub does not give facebook/xnli (fr, validation)" in str(caught.value)
    assert "try evaluation.tasks.path=FOLDER with xnli/<code>.validation.jsonl" in str(caught.value)


def test_generated_items_are_rows() -> None:
    texts = Tasks("xnli", "embedded:demo", limit=6).read()
    assert {"en", "sw", "zh-Hans", "bn"} <= {text.language for text in texts}
    assert all([row["label"] for row in text.rows] == [0, 1, 2, 0, 1, 2] for text in texts)
    with pytest.raises(MbsError, match="xcopa: no rows under embedded:demo"):
        Tasks("xcopa", "embedded:demo").read()
