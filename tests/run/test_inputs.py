"""Which text is evaluated: none that calibrates, halves and caps as asked, parallel where it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run, invented
from runs import one_line, result_of

from mbs.data.corpora.base import Document
from mbs.errors import MbsError
from mbs.evaluation.windows import PerplexityTask
from mbs.run.inputs import parallel


@pytest.mark.guard("mbs/run/inputs.py", "if same_id or content in contents:", "if False:")
def test_calibration_text_in_the_evaluation_is_refused(run: Run, corpus_folder: Path) -> None:
    for protocol in ("documents", "paper"):
        line = one_line(*run(f"evaluation.path={corpus_folder}", "mix=english", f"evaluation.protocol={protocol}"))
        assert "is also evaluation document en-" in line


def test_a_document_that_calibration_used_is_refused_by_id(bare_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "news"
    folder.mkdir()
    texts = [{"id": f"en/{n}", "text": invented("en", 20, 500 + n)} for n in range(3)]
    numbered = [{"id": n, "text": invented("sw", 20, 500 + n)} for n in range(3)]
    for language, made in (("sw", numbered), ("en", texts)):
        (folder / f"{language}.jsonl").write_text("\n".join(json.dumps(row) for row in made))
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for language, own in (("sw", "{}"), ("en", "en/{}")):
        made = [{"id": own.format(n), "text": invented(language, 30, n)} for n in range(30)]
        (corpus / f"{language}.jsonl").write_text("\n".join(json.dumps(row) for row in made))
    words = [f"evaluation.path={folder}", f"corpus.path={corpus}"]
    assert bare_run(*words, "languages=[sw]")[0] == 0  # mere numbers name nothing
    code, _, err = bare_run(*words, "languages=[en]", "calibration.segments=40")
    assert code == 2
    assert "is also evaluation document en/" in err


def test_a_half_and_a_cap_are_recorded(bare_run: Run, evaluation_folder: Path) -> None:
    assert bare_run(f"evaluation.path={evaluation_folder}", "evaluation.split=second", "evaluation.windows=2",
               "languages=[sw]")[0] == 0  # fmt: skip
    found = result_of()
    assert found["config"]["evaluation"]["split"] == "second"
    assert found["config"]["evaluation"]["windows"] == 2
    assert found["languages"]["sw"]["harm_per_document"] is None
    assert found["languages"]["sw"]["dense"]["documents"] == 1
    assert found["languages"]["sw"]["dropped_windows"] == 0


def test_a_cap_says_how_much_it_leaves_out(bare_run: Run, evaluation_folder: Path) -> None:
    assert bare_run(f"evaluation.path={evaluation_folder}", "evaluation.windows=2", "evaluation.length=16",
               "languages=[sw]")[0] == 0  # fmt: skip
    found = result_of()
    assert found["languages"]["sw"]["dropped_windows"] > 0
    assert found["languages"]["sw"]["dense"]["tokens"] <= 30


def test_documents_are_parallel_where_their_own_ids_or_the_settings_say_so() -> None:
    def held(language: str, count: int, stated: bool) -> list[Document]:
        return [Document(f"{language}-{n}" if not stated else f"news/{n}", "a b", None, stated) for n in range(count)]

    own = {code: held(code, 3, True) for code in ("en", "sw")}
    counted = {code: held(code, 3, False) for code in ("en", "sw")}
    unequal = {"en": held("en", 3, False), "sw": held("sw", 2, False)}
    assert parallel(PerplexityTask(), own)
    assert not parallel(PerplexityTask(parallel=False), own)
    assert not parallel(PerplexityTask(protocol="paper"), own)
    assert not parallel(PerplexityTask(windows=3), own)
    assert not parallel(PerplexityTask(), counted)  # that both have three documents says nothing
    assert parallel(PerplexityTask(parallel=True), counted)
    assert not parallel(PerplexityTask(parallel=True), {"en": counted["en"]})
    with pytest.raises(MbsError, match=r"evaluation\.parallel=true, with 2 to 3 documents .* evaluation\.documents=2"):
        parallel(PerplexityTask(parallel=True), unequal)
    with pytest.raises(MbsError, match=r"evaluation\.parallel=yes"):
        PerplexityTask(parallel="yes")  # type: ignore[arg-type]
