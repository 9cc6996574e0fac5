"""Right rows are read, wrong ones are named by file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_rows import ROWS, text_of, varied, write
from conftest import shared

from mbs.errors import MbsError
from mbs.evaluation.tasks.benchmarks import BENCHMARKS
from mbs.evaluation.tasks.rows import read_file
from mbs.evaluation.tasks.suite import Tasks

pytestmark = pytest.mark.usefixtures("quiet_imports")


@pytest.mark.parametrize("family", BENCHMARKS)
def test_right_rows_are_read_and_a_missing_field_is_named(family: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[family]
    file = write(tmp_path, "right.jsonl", [ROWS[family], varied(family, 1)])
    assert read_file(file, benchmark, None) == [ROWS[family], varied(family, 1)]
    assert read_file(file, benchmark, 1) == [ROWS[family]]
    for field in benchmark.fields:
        wrong = {key: value for key, value in ROWS[family].items() if key != field}
        with pytest.raises(MbsError, match=rf"wrong.jsonl:2 has no field `{field}`; expected the fields "):
            read_file(write(tmp_path, "wrong.jsonl", [ROWS[family], wrong]), benchmark, None)


WRONG: list[tuple[str, object, str]] = [
    ("xnli", {"label": -1}, "label=-1; expected one of 0, 1, 2"),
    ("xnli", {"label": "1"}, "label='1'; expected one of 0, 1, 2"),
    ("xnli", {"label": 7}, "label=7; expected one of 0, 1, 2"),
    ("xnli", {"label": True}, "label=True; expected one of 0, 1, 2"),
    ("xnli", {"label": 1.0}, "label=1.0; expected one of 0, 1, 2"),
    ("xnli", {"premise": "  "}, "premise=' '; expected text that is not empty"),
    ("xnli", {"hypothesis": None}, "hypothesis=None; expected text that is not empty"),
    ("xwinograd", {"answer": 1}, "answer=1; expected one of '1', '2'"),
    (
        "xwinograd",
        {"sentence": "no gap"},
        "sentence='no gap'; expected text with one _ where an option goes; try mending",
    ),
    ("xwinograd", {"sentence": "a _ b _ c"}, "expected text with one _ where an option goes"),
    ("belebele", {"correct_answer_num": 3}, "correct_answer_num=3; expected one of '1', '2', '3', '4'"),
    ("hellaswag", {"label": 2}, "label=2; expected one of '0', '1', '2', '3'"),
    ("hellaswag", {"endings": ["a", "b"]}, "endings=['a', 'b']; expected a list of four texts"),
    ("hellaswag", {"ctx_b": None}, "ctx_b=None; expected text"),
    ("arc_easy", {"answerKey": "E"}, "answerKey='E'; expected one of A, B, C"),
    ("arc_easy", {"choices": {"text": ["a"], "label": []}}, '{"text": [...], "label": [...]} of one length'),
    ("mgsm", {"answer_number": "4"}, "answer_number='4'; expected a whole number"),
    ("xcopa", {"question": "why"}, "question='why'; expected one of 'cause', 'effect'"),
    ("xnli", "{not json", "is not JSON"),
    ("xnli", "[1]", "is list; expected one object per line"),
]


@pytest.mark.parametrize(("family", "change", "line"), WRONG)
def test_a_wrong_row_is_one_line(family: str, change: object, line: str, tmp_path: Path) -> None:
    wrong = {**ROWS[family], **change} if isinstance(change, dict) else change
    language = next(iter(BENCHMARKS[family].yamls))
    file = write(tmp_path, f"{family}/{language}.validation.jsonl", [ROWS[family], wrong])
    with pytest.raises(MbsError) as caught:
        Tasks(family, str(tmp_path)).read()
    assert f"{file}:2" in str(caught.value)
    assert line in str(caught.value)
    assert "\n" not in caught.value.line


def test_rows_that_lm_eval_would_all_drop_are_refused(tmp_path: Path) -> None:
    benchmark, empty = BENCHMARKS["pawsx"], {**ROWS["pawsx"], "sentence1": ""}
    with pytest.raises(MbsError, match="sentence1 or sentence2 is empty in every row"):
        read_file(write(tmp_path, "en.jsonl", [empty, empty]), benchmark, None)
    assert len(read_file(write(tmp_path, "en.jsonl", [empty, ROWS["pawsx"]]), benchmark, None)) == 2


def test_empty_files_and_other_encodings_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, "xnli/en.validation.jsonl", [])
    with pytest.raises(MbsError, match=r"en.validation.jsonl holds no rows \(0 bytes\); expected rows of xnli"):
        Tasks("xnli", str(tmp_path)).read()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MbsError, match=r"cannot be read .* expected UTF-8 text"):
        Tasks("xnli", str(tmp_path)).read()


def test_ids_chance_and_hashes() -> None:
    rows = [{**ROWS["xnli"], "idx": "b"}, {**ROWS["xnli"], "idx": "a"}]
    assert text_of("xnli", rows=rows).ids == ("b", "a")
    assert text_of("xnli", rows=[rows[0], rows[0]]).ids == ("0", "1")
    assert text_of("xnli", rows=rows).content_hash != text_of("xnli", rows=rows[:1]).content_hash
    assert text_of("xnli").chance == pytest.approx(1 / 3)
    assert text_of("arc_easy", rows=[varied("arc_easy", n) for n in (0, 1)]).chance == (1 / 3 + 1 / 4) / 2
    assert text_of("mgsm").chance == 0


def test_real_rows_are_read() -> None:
    folder = shared("data")
    if folder is None:
        pytest.skip("MBS_SHARED is not set")
    counts = {family: {text.language: len(text.rows) for text in Tasks(family, str(folder)).read()}
              for family in ("xnli", "xcopa", "pawsx", "xwinograd")}  # fmt: skip
    assert set(counts["xnli"].values()) == {2490}
    assert len(counts["xnli"]) == 13
    assert set(counts["xcopa"].values()) == {100}
    assert len(counts["xcopa"]) == 11
    assert len(counts["pawsx"]) == 7
    assert set(counts["xwinograd"]) == {"en", "fr", "pt"}
