"""What one model gives on one text is measured once and serves every run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from safetensors.torch import load_file, save_file

from mbs.evaluation import perplexity
from mbs.evaluation.similarity import language_vectors, similarity_to
from mbs.run import scores as measure


def test_dense_scores_are_made_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[str] = []
    original = perplexity.measure_text

    def counting(model: Any, text: Any, *rest: Any) -> perplexity.TextScores:
        scored.append(text.language)
        return original(model, text, *rest)

    monkeypatch.setattr(measure, "measure_text", counting)
    run("languages=[en,sw]")
    assert scored == ["en", "sw"] * 2
    run("languages=[fr,sw]", "mix=uniform")
    assert scored[4:] == ["fr", "fr", "sw"]
    results = [json.loads(path.read_text()) for path in Path("outputs").glob("*/result.json")]
    assert results[0]["languages"]["sw"]["dense"] == results[1]["languages"]["sw"]["dense"]


@pytest.mark.guard("mbs/run/scores.py", "(code, text.content_hash) for code, text", "(code, code) for code, text")
@pytest.mark.guard("mbs/run/scores.py", "zip([*lacking, *texts], vectors", "zip([*texts, *lacking], vectors")
def test_similarity_is_measured_once_for_one_model_text_and_calibration_set(
    bare_run: Run, checkpoint: Path, evaluation_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        assert (
            bare_run(f"evaluation.path={evaluation_folder}", "evaluation.continuations=0", "mix=english", *words)[0]
            == 0
        )
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
