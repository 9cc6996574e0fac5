"""What a run finds: tasks beside perplexity, languages that were not learnt, halves, the hub's text, who pays."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SYLLABLES, Command, invented
from safetensors.torch import load_file, save_file

from mbs.cli import main as cli
from mbs.data.corpora.base import Document
from mbs.data.corpora.folder import FolderCorpus
from mbs.data.corpora.xlsum import XLSum
from mbs.data.languages import LANGUAGES
from mbs.data.shares import declare_shares
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.similarity import language_vectors, similarity_to
from mbs.evaluation.tasks.harness import score_tasks
from mbs.evaluation.unigram import DISCOUNT, unigram_nll
from mbs.evaluation.windows import PerplexityTask, by_document
from mbs.metrics import Scores, summarize
from mbs.metrics.answers import binned_calibration_error, calibration_error
from mbs.metrics.causes import changes_by_group, dependences
from mbs.metrics.harms import LanguageResult
from mbs.report.table import is_finding
from mbs.run.inputs import parallel

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """XNLI rows in three languages."""
    folder = tmp_path / "rows" / "xnli"
    folder.mkdir(parents=True)
    for language in ("en", "sw", "yo"):
        made = [
            {"premise": invented(language, 6, seed), "hypothesis": invented(language, 4, seed + 50), "label": seed % 3}
            for seed in range(9)
        ]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in made)
        (folder / f"{language}.validation.jsonl").write_text(lines, encoding="utf-8")
    return folder.parent


@pytest.fixture
def run(command: Command, checkpoint: Path, corpus_folder: Path) -> Run:
    """`mbs` on a tiny model; the evaluation is the caller's."""
    common = [
        f"model.path={checkpoint}", f"model.shares={checkpoint / 'training.json'}", f"corpus.path={corpus_folder}",
        "calibration.segments=12", "calibration.length=24", "tracker=none",
    ]  # fmt: skip
    return lambda *overrides: command(cli.main, [*common, *overrides])


def result_and_folder() -> tuple[dict[str, Any], Path]:
    (file,) = Path("outputs").glob("*/result.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found, file.parent


def test_tasks_and_perplexity_in_one_run(run: Run, rows: Path, evaluation_folder: Path) -> None:
    code, out, err = run("evaluation=xnli", f"evaluation.path={evaluation_folder}", f"evaluation.tasks.path={rows}",
                         "evaluation.tasks.limit=7", "evaluation.continuations=2", "evaluation.parallel=true",
                         "languages=[en,sw,fr]")  # fmt: skip
    assert code == 0
    assert err == ("mbs: warning: none of the tasks has: fr\n")
    found, folder = result_and_folder()
    assert list(found["languages"]) == ["en", "fr", "sw"]
    assert list(found["tasks"]["xnli"]) == ["en", "sw"]
    assert "xnli" in out.split()
    task = found["tasks"]["xnli"]["sw"]
    assert task["n"] == 7
    table = pq.read_table(folder / "answers.parquet").to_pylist()
    mine = [row for row in table if row["language"] == "sw"]
    assert [row["gold"] for row in mine] == [0, 1, 2, 0, 1, 2, 0]
    for model in ("dense", "compressed"):
        right = [int(np.argmax(row[f"loglik_{model}"])) == row["gold"] for row in mine]
        assert right == [row[f"correct_{model}"] for row in mine]
        assert task[f"accuracy_{model}"] == pytest.approx(np.mean(right))
    assert found["content"]["tasks"].keys() == {"xnli/en", "xnli/sw"}
    written = [json.loads(line) for line in (folder / "continuations.jsonl").read_text().splitlines()]
    assert {row["language"] for row in written} <= {"en", "fr", "sw"}
    assert {"prompt", "reference", "dense", "compressed", "document"} <= written[0].keys()
    assert found["continuations"].keys() == {row["language"] for row in written}
    scores = pq.read_table(folder / "scores.parquet").to_pydict()
    assert sum(scores["divergence_tokens"]) == sum(row["divergence_tokens"] for row in found["languages"].values())
    of_sw = [k for k, language in enumerate(scores["language"]) if language == "sw"]
    mean = sum(scores["divergence"][k] for k in of_sw) / sum(scores["divergence_tokens"][k] for k in of_sw)
    assert mean == pytest.approx(found["languages"]["sw"]["divergence"])
    assert found["tokenization"]["sw"]["premium"] > 0
    assert found["similarity"].keys() == found["languages"].keys()
    assert found["groups"]["script"].keys() == {"Latn"}
    assert found["summary"]["parallel"] is True


def test_tasks_alone_and_the_dense_answers_are_made_once(run: Run, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mbs.run import scores as measure

    asked: list[list[str]] = []
    original = score_tasks

    def counting(skeleton: Any, blocks: Any, tokenizer: Any, tasks: Any, *rest: Any) -> Any:
        asked.append([task.language for task in tasks])
        return original(skeleton, blocks, tokenizer, tasks, *rest)

    monkeypatch.setattr(measure, "score_tasks", counting)
    code, out, err = run("evaluation=xnli", f"evaluation.tasks.path={rows}", "languages=[en,sw]")
    assert (code, err) == (0, "")
    assert "mean harm" not in out
    found, folder = result_and_folder()
    assert (found["summary"], found["languages"]) == (None, {})
    assert not (folder / "scores.parquet").exists()
    assert run("evaluation=xnli", f"evaluation.tasks.path={rows}", "languages=[en,yo]", "mix=uniform")[0] == 0
    assert asked == [["en"], ["sw"], ["en"], ["sw"], ["yo"], ["en"], ["yo"]]


@pytest.mark.guard("mbs/run/scores.py", "(code, text.content_hash) for code, text", "(code, code) for code, text")
@pytest.mark.guard("mbs/run/scores.py", "zip([*lacking, *texts], vectors", "zip([*texts, *lacking], vectors")
def test_similarity_is_measured_once_for_one_model_text_and_calibration_set(
    run: Run, checkpoint: Path, evaluation_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mbs.run import scores as measure

    made: list[dict[str, Any]] = []
    original = language_vectors

    def counting(skeleton: Any, rows: Any, batch_tokens: int) -> Any:
        made.append(original(skeleton, rows, batch_tokens))
        return made[-1]

    monkeypatch.setattr(measure, "language_vectors", counting)
    found: dict[Path, Any] = {}

    def near(*words: str) -> Any:
        assert run(f"evaluation.path={evaluation_folder}", "evaluation.continuations=0", "mix=english", *words)[0] == 0
        (new,) = set(Path("outputs").glob("*/result.json")) - found.keys()
        found[new] = json.loads(new.read_text())["similarity"]
        expected = similarity_to(made[-1], {"en": 1})
        for code, its in found[new].items():
            assert its == {"cosine": expected[code].cosine, "standardised": expected[code].standardised}
        return found[new]

    first = near("languages=[fr,sw]")
    assert [*made[0]] == ["en", "fr", "sw"]
    assert near("languages=[fr,sw]", "sparsity.ratio=0.6") == first
    assert len(made) == 1
    assert near("languages=[fr,sw]", "seed=1") != first
    wide = near("languages=[en,fr,sw]")
    assert wide["en"]["cosine"] == pytest.approx(1)
    assert len(made) == 3
    near("languages=[en,fr,sw]", "seed=1")  # English that is evaluated is not read from the calibration set
    assert len(made) == 3
    assert near("languages=[en,fr,sw]", "evaluation.documents=1") != wide
    assert near("languages=[en,fr,sw]", "batch_tokens=64").keys() == wide.keys()
    assert len(made) == 5
    other = shutil.copytree(checkpoint, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file({name: W.flip(0) for name, W in weights.items()}, other / "model.safetensors", {"format": "pt"})
    near("languages=[en,fr,sw]", f"model.path={other}")
    assert len(made) == 6


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["languages=[en,fr]"], "nothing is measured in fr: no task of xnli has it"),
        (["evaluation.tasks.names=[xnly]"], "evaluation.tasks.names 'xnly'"),
        (["evaluation.tasks.names=[xcopa]"], "xcopa"),
        (["evaluation.tasks.limit=0"], "evaluation.tasks.limit=0"),
        (["evaluation.tasks.path=nowhere"], "evaluation.tasks.path"),
        (["evaluation.continuations=-1"], "evaluation.continuations=-1"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(run: Run, rows: Path, words: list[str], line: str) -> None:
    code, out, err = run("evaluation=xnli", f"evaluation.tasks.path={rows}", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert line in err


def test_neither_text_nor_tasks_is_one_line(run: Run) -> None:
    code, _, err = run("evaluation=local")
    assert code == 2
    assert "try evaluation.path=FOLDER or evaluation=xnli" in err


def test_generated_rows_are_for_the_embedded_models_alone(run: Run, evaluation_folder: Path) -> None:
    words = ["evaluation.tasks.names=[xnli]", "evaluation.tasks.path=embedded:demo", "evaluation=local"]
    code, _, err = run(*words, f"evaluation.path={evaluation_folder}")
    assert code == 2
    assert "rows of the generated world, for model.path=" in err


def test_a_document_that_calibration_used_is_refused_by_id(run: Run, tmp_path: Path) -> None:
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
    assert run(*words, "languages=[sw]")[0] == 0  # mere numbers name nothing
    code, _, err = run(*words, "languages=[en]", "calibration.segments=40")
    assert code == 2
    assert "is also evaluation document en/" in err


def test_a_half_and_a_cap_are_recorded(run: Run, evaluation_folder: Path) -> None:
    assert run(f"evaluation.path={evaluation_folder}", "evaluation.split=second", "evaluation.windows=2",
               "languages=[sw]")[0] == 0  # fmt: skip
    found, _ = result_and_folder()
    assert found["config"]["evaluation"]["split"] == "second"
    assert found["config"]["evaluation"]["windows"] == 2
    assert found["languages"]["sw"]["harm_per_document"] is None
    assert found["languages"]["sw"]["dense"]["documents"] == 1
    assert found["languages"]["sw"]["dropped_windows"] == 0


def test_a_cap_says_how_much_it_leaves_out(run: Run, evaluation_folder: Path) -> None:
    assert run(f"evaluation.path={evaluation_folder}", "evaluation.windows=2", "evaluation.length=16",
               "languages=[sw]")[0] == 0  # fmt: skip
    found, _ = result_and_folder()
    assert found["languages"]["sw"]["dropped_windows"] > 0
    assert found["languages"]["sw"]["dense"]["tokens"] <= 30


def test_unigram_by_a_naive_count(evaluation_folder: Path, tokenizer: Tokenizer) -> None:
    text = PerplexityTask(length=16).read(FolderCorpus(evaluation_folder), "sw", tokenizer)
    targets: list[list[int]] = [[] for _ in text.units]
    for window, context, unit in zip(text.windows, text.context, text.unit_of_window, strict=True):
        targets[unit] += window[context:].tolist()
    found = unigram_nll(text, 400)
    assert found is not None
    for number, mine in enumerate(targets):
        others = Counter(token for k, held in enumerate(targets) if k % 2 != number % 2 for token in held)
        total = sum(others.values())
        p = {t: (max(others[t] - DISCOUNT, 0) + DISCOUNT * len(others) / 400) / total for t in range(400)}
        assert sum(p.values()) == pytest.approx(1)
        assert found[number] == pytest.approx(-sum(np.log(p[token]) for token in mine))
    alone = by_document("sw", [Document("a", "kiwa mungo")], tokenizer, 16)
    assert unigram_nll(alone, 400) is None


def test_calibration_error_from_narrow_bins_is_that_of_the_tokens() -> None:
    random = np.random.default_rng(0)
    confidence = np.sort(random.random(6000))
    right = (random.random(6000) < confidence**2).astype(float)
    histogram = np.stack([
        np.histogram(confidence, 1000, (0, 1), weights=weights)[0] for weights in (np.ones(6000), confidence, right)
    ])  # fmt: skip
    assert binned_calibration_error(histogram, 10) == pytest.approx(calibration_error(confidence, right, 10), abs=2e-3)
    two = np.zeros((3, 1000))
    two[:, 300] = 4, 1.2, 4
    two[:, 900] = 4, 3.6, 2
    assert binned_calibration_error(two, 2) == pytest.approx((2.8 + 1.6) / 8)


def result_with(harm: float, learnt: bool | None = True) -> LanguageResult:
    dense, compressed = Scores(10.0, 1.0, 100, 100, 2), Scores(10.0 * np.exp(harm), 1.0, 100, 100, 2)
    return LanguageResult(0.1, dense, compressed, harm, None, retention=float(np.exp(-harm)), learnt=learnt)


def test_what_was_not_learnt_is_not_the_worst() -> None:
    summary = summarize({"en": result_with(0.1), "yo": result_with(0.9, False), "sw": result_with(0.2)}, None)
    assert (summary.worst_language, summary.harm_worst, summary.not_learnt) == ("sw", 0.2, ("yo",))
    assert summary.harm_mean == pytest.approx(0.4)
    assert summary.harm_cvar == 0.2
    assert summarize({"yo": result_with(0.9, False)}, None).worst_language == "yo"


def test_groups_and_dependence_by_hand() -> None:
    shares = declare_shares({"en": 90, "sw": 6, "yo": 3, "zh-Hans": 1})
    harms = {"en": 0.1, "zh-Hans": 0.4, "sw": 0.2, "yo": 0.3}
    results = {code: result_with(harm) for code, harm in harms.items()}
    changes = changes_by_group(results, shares, LANGUAGES)
    assert changes["script"].keys() == {"Latn", "Hans"}
    assert changes["script"]["Hans"].change == pytest.approx(100 * (np.exp(0.4) - 1))
    assert changes["resource"]["high"].languages == ("en", "sw")
    many = {code: 0.1 * number for number, code in enumerate(("en", "fr", "sw", "yo", "ig", "hi", "bn"))}
    rank: dict[str, float | None] = {code: -number for number, code in enumerate(many)}
    bent: dict[str, float | None] = {code: number * (-1) ** number for number, code in enumerate(many)}
    found = dependences(many, {"share": rank, "nothing": dict.fromkeys(many), "bent": {**bent, "en": None}})
    assert found.keys() == {"share", "bent"}
    assert found["share"].alone.value == pytest.approx(-1)
    assert (found["share"].given, found["bent"].alone.n) == (("bent",), 6)


def test_a_difference_below_a_thousand_items_is_no_finding() -> None:
    rows = {code: {"n": n, "p": p} for code, n, p in (("en", 1000, 0.02), ("sw", 999, 0.001), ("yo", 5000, 0.04))}
    assert is_finding(rows) == {"en": True, "sw": False, "yo": True}
    assert is_finding({"en": rows["en"], "yo": rows["yo"], "sw": {"n": 2000, "p": 0.9}}) == {
        "en": False, "yo": False, "sw": False,
    }  # fmt: skip


def parquet(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "0000.parquet")


def test_xlsum_is_read_as_the_paper_does(tmp_path: Path, run: Run) -> None:
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
    code, out, err = run("evaluation=xlsum", f"evaluation.corpus.path={tmp_path / 'xlsum'}",
                         "languages=[en,sw,wikitext2]", "mix=uniform")  # fmt: skip
    assert (code, err) == (0, "")
    assert "WikiText-2" in out
    found, _ = result_and_folder()
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


def test_what_the_papers_tasks_lack_is_said(run: Run, rows: Path) -> None:
    code, _, err = run("evaluation=paper", f"evaluation.tasks.path={rows}", "languages=[en,sw]")
    assert code == 0
    assert "no rows, and left out: boolq (en); " in err
    assert "xcopa (sw)" in err
    assert "xnli" not in err
