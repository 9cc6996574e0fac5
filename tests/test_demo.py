"""The embedded default: its corpus, its checkpoints as recorded, runs without a word, runs compared."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbs import MbsError, cli
from mbs.corpora.demo import DemoCorpus
from mbs.demo.corpus import documents
from mbs.demo.lexicon import languages
from mbs.models import CHECKPOINTS, ModelSource
from mbs.report.__main__ import main as report
from mbs.report.compare import groups, read_results

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "experiments" / "demo_world"))
sys.path.insert(0, str(ROOT / "experiments" / "demo_model"))

from knowledge import RECORD, held_out, nll  # noqa: E402
from law import slope  # noqa: E402
from ngrams import perplexity  # noqa: E402

from mbs import open_model, open_tokenizer  # noqa: E402

TWINS = ("demo", "demo-reversed")


def test_the_corpus_makes_each_text_when_it_is_read_and_the_same_as_the_generator() -> None:
    corpus = DemoCorpus("test", 3, 7)
    found = corpus.documents("sw")
    assert len(found) == 7
    assert "text" not in vars(found[4])
    assert [document.text for document in found] == [text for *_, text in documents("sw", 3, "test", count=7)]
    assert len({document.id for document in found}) == 7


def test_parallel_documents_have_the_same_ids_in_every_language() -> None:
    corpus = DemoCorpus("dev", 0, 3, parallel=True)
    assert set(corpus.languages) == set(languages())
    ids = {tuple(document.id for document in corpus.documents(code)) for code in corpus.languages}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DemoCorpus("valid", 0, 3), "unknown split 'valid'"),
        (lambda: DemoCorpus("dev", 0, 0), "documents=0 of generated text"),
        (lambda: DemoCorpus("dev", 0, 3).documents("yo"), "the generated text has no yo"),
        (lambda: ModelSource("embedded:dem").folder(), "unknown embedded model 'dem'"),
    ],
)
def test_mistakes_are_named(make: Any, message: str) -> None:
    with pytest.raises(MbsError, match=message):
        make()


@pytest.mark.parametrize("twin", TWINS)
def test_recorded_perplexities_are_reproduced(twin: str) -> None:
    record = json.loads(RECORD.read_text())[twin]
    model, encode = open_model(CHECKPOINTS / twin, dtype="float32"), open_tokenizer(CHECKPOINTS / twin).hf
    assert set(record) == set(languages())
    for language, row in record.items():
        rows = held_out(model, encode, language, 40)
        found = math.exp(nll(model, rows).sum() / sum(len(ids) - 1 for ids in rows))
        assert found == pytest.approx(row["model"], rel=0.01), language


@pytest.mark.parametrize("twin", TWINS)
def test_a_checkpoint_is_small_and_its_shares_are_those_of_its_yaml(twin: str) -> None:
    from hydra import compose, initialize_config_dir

    from mbs.paths import config_folder

    assert sum(file.stat().st_size for file in (CHECKPOINTS / twin).glob("*.safetensors")) <= 8e6
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        declared = dict(compose("config", [f"model={twin}"]).model.shares.share)
    record = {code: row["share"] for code, row in json.loads(RECORD.read_text())[twin].items()}
    assert declared == pytest.approx(record, abs=1e-4)


def test_the_twins_have_each_others_shares_in_reverse() -> None:
    one, two = (json.loads(RECORD.read_text())[twin] for twin in TWINS)
    order = sorted(one, key=lambda code: -one[code]["share"])
    assert [two[code]["share"] for code in order[::-1]] == [one[code]["share"] for code in order]


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of the embedded default: two calibration seeds by the mbs mix, one by magnitude, one of another model."""
    monkeypatch.chdir(tmp_path)
    small = ["calibration.segments=9", "calibration.length=32", "evaluation.documents=1", "tracker=none"]
    for words in (["seed=0"], ["seed=1"], ["pruner=magnitude"], ["model=demo-reversed"]):
        monkeypatch.setattr(sys, "argv", ["mbs", *small, *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    return tmp_path / "outputs"


def test_plain_mbs_runs_the_embedded_default_and_runs_are_compared(
    outputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = groups(read_results(outputs))
    assert (one.model, two.model) == TWINS
    assert one.generated
    assert set(one.harm) == {("wanda", "mbs"), ("magnitude", "")}
    runs = [
        r for r in read_results(outputs) if r["pruner"] == "wanda" and "reversed" not in r["config"]["model"]["path"]
    ]
    harms = [run["languages"]["sw"]["harm"] for run in runs]
    spread = one.harm["wanda", "mbs"]["sw"]
    assert spread.mean == pytest.approx(np.mean(harms))
    assert spread.deviation == pytest.approx(np.std(harms, ddof=1))
    assert math.isnan(one.harm["magnitude", ""]["sw"].deviation)
    assert one.summary(("wanda", "mbs"))["low-resource"] == pytest.approx(
        np.mean([run["summary"]["harm_low_resource"] for run in runs])
    )
    monkeypatch.setattr(sys, "argv", ["report", str(outputs)])
    assert report() == 0
    printed = capsys.readouterr().out
    assert "says nothing about the real languages" in printed
    assert (outputs / "harm.png").read_bytes()[1:4] == b"PNG"
    monkeypatch.setattr(sys, "argv", ["report", str(outputs), "--markdown", "--picture", str(outputs / "other.png")])
    assert report() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### demo at sparsity 0.5"
    assert f"| sw | 1.02 | {one.dense['sw']:.1f} | +" in "\n".join(lines)
    assert (outputs / "other.png").is_file()


def fake_run(seed: int, pruner: str = "wanda", mix: str = "custom", weight: int = 1) -> dict[str, Any]:
    row = {"share": 0.5, "harm": 0.1 + seed / 10, "dense": {"perplexity": 5.0}}
    return {
        "pruner": pruner, "mix": mix, "content": {}, "sparsity": {"requested": "0.5"}, "numerics": {},
        "calibration": {"used": pruner == "wanda"}, "languages": {"en": row, "sw": row},
        "summary": {"low_resource_languages": ["sw"]},
        "config": {"seed": seed, "calibration": {"segments": 9}, "model": {"path": "a/b"}, "mix": {"weights": weight}},
    }  # fmt: skip


def test_only_seeds_are_averaged_and_repeats_without_text_count_once() -> None:
    runs = [fake_run(seed, weight=weight) for seed in (0, 1) for weight in (1, 2)]
    (group,) = groups([*runs, *(fake_run(0, "magnitude", mix) for mix in ("mbs", "english"))])
    customs = [spreads["sw"] for (pruner, _), spreads in group.harm.items() if pruner == "wanda"]
    assert [spread.mean for spread in customs] == pytest.approx([0.15, 0.15])
    assert len({mix for pruner, mix in group.harm if pruner == "wanda"}) == 2
    assert math.isnan(group.harm["magnitude", ""]["en"].deviation)
    assert not group.generated


def test_a_result_of_another_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text('{"schema_version": 99}')
    with pytest.raises(MbsError, match="schema 99"):
        read_results(tmp_path)


def test_report_of_an_empty_folder_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path)])
    assert report() == 2
    assert "try mbs -m experiment=demo" in capsys.readouterr().err


def test_own_paths_choose_the_local_groups_and_keep_a_choice() -> None:
    assert cli.with_own_groups(["model.path=a", "seed=1"]) == ["model.path=a", "seed=1", "model=local"]
    assert cli.with_own_groups(["model=bloom-560m", "model.path=a"]) == ["model=bloom-560m", "model.path=a"]
    assert cli.with_own_groups(["corpus.path=a", "evaluation.path=b"])[2:] == ["corpus=local", "evaluation=local"]
    assert cli.with_own_groups(["++model.path=a"])[1:] == ["model=local"]
    assert cli.with_own_groups(["model.path=embedded:demo"]) == ["model.path=embedded:demo"]
    assert cli.with_own_groups(["-m", "mix=mbs"]) == ["-m", "mix=mbs"]


def test_a_reader_who_stops_reading_gets_no_error() -> None:
    nobody_reads, pipe = os.pipe()
    os.close(nobody_reads)
    words = [sys.executable, "-m", "mbs", "--help"]
    ended = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(pipe)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_generated_text_is_never_used_for_a_model_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluation_folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, message in (
        (["model.path=x"], "evaluation.path is not set"),
        (["model.path=x", f"evaluation.path={evaluation_folder}"], "corpus.path is not set"),
    ):
        monkeypatch.setattr(sys, "argv", ["mbs", "tracker=none", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


def test_ngram_perplexity_is_the_closed_form_of_witten_bell() -> None:
    # One line "a": two kinds in two tokens, so p(a) = p(end) = (1 + 2/3) / 4.
    assert perplexity([["a"]], [["a"]], order=1) == pytest.approx(4 / (1 + 2 / 3))


def test_the_slope_of_the_law_is_exact_on_a_line() -> None:
    x = np.array([-2.0, 0.5, 1.0, 3.0])
    assert slope(x, 0.7 - 0.3 * x) == pytest.approx(-0.3)
