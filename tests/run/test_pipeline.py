"""The whole run through the command line: its result is the contract, and its mistakes are one line."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import Run, random_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mbs.cli import main as cli
from mbs.compression.layer_reports import mask_positions
from mbs.data.corpora.folder import FolderCorpus
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation import perplexity
from mbs.evaluation.windows import PerplexityTask
from mbs.run import scores as measure


def only(pattern: str = "tiny_bloom-*") -> Path:
    (found,) = Path("outputs").glob(pattern)
    return found


def result_of(pattern: str = "tiny_bloom-*") -> dict[str, Any]:
    content = (only(pattern) / "result.json").read_text()
    loaded: dict[str, Any] = json.loads(content, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return loaded


def test_a_run_from_start_to_end(run: Run) -> None:
    code, out, err = run("languages=[sw,en,fr]")
    assert (code, err) == (0, "")
    result = result_of("tiny_bloom-wanda-0.5-mbs-*")
    assert result["schema_version"] == 1
    assert list(result["languages"]) == ["en", "fr", "sw"]
    assert result["calibration"]["segments"] == {"en": 8, "fr": 2, "sw": 2}
    assert result["calibration"]["used"] is True
    assert set(result["calibration"]["documents"]) == {"en", "fr", "sw"}
    assert result["sparsity"]["achieved"] == pytest.approx(0.5)
    assert len(result["sparsity"]["layers"]) == 12
    assert result["summary"]["low_resource_languages"] == ["sw"]
    assert set(result["seconds"]) == {"identify", "sample", "load", "dense", "compress", "score"}
    assert result["peak_memory_bytes"] > 10**7
    assert result["config"]["mix"]["name"] == "mbs"
    assert result["versions"]["torch"] == torch.__version__
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["en", "fr", "sw"]
    for words in ("mean harm", "worst harm", "low-resource harm", "share in tokens", "results in outputs"):
        assert words in out

    directory = only()
    rows = pq.read_table(directory / "scores.parquet").to_pylist()
    for language, row in result["languages"].items():
        mine = [r for r in rows if r["language"] == language]
        dense, compressed = (sum(r[f"nll_{which}"] for r in mine) for which in ("dense", "compressed"))
        tokens, size = sum(r["tokens"] for r in mine), sum(r["bytes"] for r in mine)
        assert (tokens, size, len(mine)) == (row["dense"]["tokens"], row["dense"]["bytes"], row["dense"]["documents"])
        assert row["dense"]["perplexity"] == pytest.approx(math.exp(dense / tokens))
        assert row["compressed"]["bits_per_byte"] == pytest.approx(compressed / math.log(2) / size)
        assert row["harm"] == pytest.approx((compressed - dense) / tokens)
    harms = [row["harm"] for row in result["languages"].values()]
    assert result["summary"]["harm_mean"] == pytest.approx(np.mean(harms))
    events = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [event["block"] for event in events if event["event"] == "block"] == [0, 1, 2]
    assert events[-1]["event"] == "finished"


def test_the_saved_model_is_the_measured_one(run: Run, checkpoint: Path) -> None:
    assert run("save=true", "languages=[en]")[0] == 0
    directory = only()
    saved: Any = AutoModelForCausalLM.from_pretrained(directory / "model")
    masks = np.load(directory / "mask.npz")
    assert bool(masks["whole"])
    for name in result_of()["sparsity"]["layers"]:
        weight = saved.get_submodule(name).weight.detach().numpy()
        assert masks[f"{name}.shape"].tolist() == list(weight.shape)
        assert (np.unpackbits(masks[name], count=weight.size).reshape(weight.shape) == (weight != 0)).all()
    before: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
    assert torch.equal(saved.lm_head.weight, before.lm_head.weight)
    assert saved.lm_head.weight is saved.transformer.word_embeddings.weight


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_saved_model_has_the_measured_perplexity(
    run: Run,
    checkpoint: Path,
    evaluation_folder: Path,
    tmp_path: Path,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What plain transformers loads, in the checkpoint's dtype, scores what was measured in float32, to 1e-6."""
    monkeypatch.setattr("mbs.engine.checkpoint._slow", lambda dtype: dtype != torch.float32)
    folder = tmp_path / "original"
    copied(checkpoint, folder)
    original: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    original.save_pretrained(folder)
    wrong_but_common = {"_from_model_config": True, "eos_token_id": 2, "top_k": 7}
    (folder / "generation_config.json").write_text(json.dumps(wrong_but_common))
    assert run(f"model.path={folder}", "languages=[fr]", "pruner=sparsegpt", "save=true")[0] == 0
    (directory,) = Path("outputs").glob("original-sparsegpt-*")
    result = json.loads((directory / "result.json").read_text())
    saved: Any = AutoModelForCausalLM.from_pretrained(directory / "model")
    assert saved.dtype == dtype
    assert result["numerics"]["stored"] == str(dtype).removeprefix("torch.")
    assert json.loads((directory / "model" / "generation_config.json").read_text()) == wrong_but_common
    assert saved.lm_head.weight is saved.transformer.word_embeddings.weight
    measured = result["languages"]["fr"]["compressed"]["perplexity"]
    tokenizer = Tokenizer(AutoTokenizer.from_pretrained(directory / "model"))
    text = PerplexityTask(length=24).read(FolderCorpus(evaluation_folder), "fr", tokenizer)
    nll, scored = 0.0, 0
    for window, context in zip(text.windows, text.context, strict=True):
        ids = torch.from_numpy(window)[None]
        with torch.no_grad():
            logits = saved.float()(ids).logits[0]
        each = torch.nn.functional.cross_entropy(logits[context - 1 : -1].double(), ids[0, context:], reduction="sum")
        nll, scored = nll + float(each), scored + len(window) - context
    assert math.exp(nll / scored) == pytest.approx(measured, rel=1e-6)
    assert run(f"model.path={directory / 'model'}", "languages=[fr]", "pruner=none")[0] == 0
    again = result_of("model-none-*")["languages"]["fr"]["dense"]["perplexity"]
    assert again == pytest.approx(measured, rel=1e-6)


def test_mask_samples_match_whole_masks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mbs.compression.compress.mask_positions", lambda name, size: mask_positions(name, size, sample=100)
    )
    run("languages=[en]")
    run("languages=[en]", "save=mask")
    whole, sampled = sorted(
        (np.load(path) for path in Path("outputs").glob("*/mask.npz")), key=lambda file: not file["whole"]
    )
    for name in (key for key in whole.files if f"{key}.shape" in whole.files):
        size = int(np.prod(whole[f"{name}.shape"]))
        bits = np.unpackbits(whole[name], count=size)[mask_positions(name, size, sample=100)]
        assert (np.unpackbits(sampled[name], count=100) == bits).all()


@pytest.mark.parametrize("argument", ["sparsity=none", "sparsity.ratio=0", "pruner=none"])
def test_no_pruning_gives_the_dense_numbers_bit_for_bit(run: Run, argument: str) -> None:
    assert run(argument)[0] == 0
    for row in result_of()["languages"].values():
        assert row["dense"] == row["compressed"]
        assert row["harm"] == row["harm_per_document"] == 0
    table = pq.read_table(only() / "scores.parquet")
    assert table["nll_dense"].equals(table["nll_compressed"])


def test_dense_scores_are_made_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[str] = []
    original = perplexity.measure_text

    def counting(skeleton: Any, blocks: Any, text: Any, *rest: Any) -> perplexity.TextScores:
        scored.append(text.language)
        return original(skeleton, blocks, text, *rest)

    monkeypatch.setattr(measure, "measure_text", counting)
    run("languages=[en,sw]")
    assert scored == ["en", "sw"] * 2
    run("languages=[fr,sw]", "mix=uniform")
    assert scored[4:] == ["fr", "fr", "sw"]
    results = [json.loads(path.read_text()) for path in Path("outputs").glob("*/result.json")]
    assert results[0]["languages"]["sw"]["dense"] == results[1]["languages"]["sw"]["dense"]


def test_the_same_command_gives_the_same_result(run: Run) -> None:
    run("mix=uniform")
    first = result_of()
    run("mix=uniform", "rerun=always")
    second = result_of()
    for changing in ("seconds", "peak_memory_bytes", "config", "checksum"):
        first.pop(changing)
        second.pop(changing)
    assert first == second


@pytest.mark.guard("mbs/run/identity.py", "slug(str(part), 40) for part in parts", "str(part) for part in parts")
@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "a" * 400, "con: <x>", ".", "..", "", "\u00e9\u0301\u4eba", "'quoted'"]
)
def test_no_name_leaves_outputs(run: Run, tmp_path: Path, name: str) -> None:
    quoted = name.replace("'", "\\'")
    code, _, err = run(f"mix.name='{quoted}'", "languages=[en]", "evaluation.documents=1")
    assert (code, err) == (0, "")
    assert (only("tiny_bloom-wanda-*") / "result.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"outputs"}
    assert len(only("tiny_bloom-*").name) < 128


def test_dropped_languages_are_seen(run: Run, tmp_path: Path, corpus_folder: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for file in ("en.txt", "sw.jsonl"):
        (corpus / file).write_bytes((corpus_folder / file).read_bytes())
    _, out, err = run(f"corpus.path={corpus}", "mix=uniform")
    assert "left out of the mix: zh-Hans, fr, yo" in out
    assert "warning: not in the corpus and left out of the mix: zh-Hans, fr, yo" in err
    assert result_of()["calibration"]["dropped_languages"] == ["zh-Hans", "fr", "yo"]
    assert result_of()["calibration"]["segments"] == {"en": 6, "sw": 6}


def test_undeclared_shares(run: Run) -> None:
    _, out, _ = run("model.shares=null", "mix=uniform")
    summary = result_of()["summary"]
    assert (summary["harm_low_resource"], summary["low_resource_languages"]) == (None, [])
    assert "training shares undeclared" in out


def test_magnitude_needs_no_calibration_text(run: Run) -> None:
    code, out, err = run("pruner=magnitude", "corpus.path=null", "model.shares=null")
    assert (code, err) == (0, "")
    assert "no calibration text is needed" in out
    assert result_of()["calibration"]["used"] is False


def test_the_papers_protocol(run: Run) -> None:
    assert run("evaluation.protocol=paper", "languages=[en]")[0] == 0
    row = result_of()["languages"]["en"]
    assert row["harm_per_document"] is None
    assert row["dense"]["tokens"] % 23 == 0


def one_line(code: int, out: str, err: str) -> str:
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("mbs: ")
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["languages=[en,zz]"], "unknown language 'zz'"),
        (["languages=en"], "expected a list of language codes"),
        (["languages=en,sw"], "try 'languages=[en,sw]'"),
        (["sparsity=2of4", "sparsity.ratio=0.5"], "'sparsity.ratio' is a key of another option of sparsity"),
        (["sparsity=1.2.3"], "expected a pattern"),
        (["sparsity.ratio=62.5"], "try sparsity.ratio=0.625"),
        (["model.device=nonsense"], "model.device=nonsense; expected auto, cpu"),
        (["outputs=/proc/nothing"], "/proc/nothing cannot be written (No such file or directory)"),
        (["evaluation.length=1000000", "model.path=GPT2"], "evaluation.length=1000000, and the model's context is 128"),
        (["mix=mbss"], "unknown mix 'mbss'; expected one of custom, english, mbs, single, uniform; try mix=mbs"),
        (["sparsity=50"], "try sparsity.ratio=0.5"),
        (["sparsity=50,60"], "try sparsity.ratio=0.5,0.6"),
        (["sparsity=0.5"], "try sparsity.ratio=0.5"),
        (["sparsity=2:4"], "try sparsity=2of4"),
        (["sparsity.ratio=1.01"], "expected a number from 0 up to but not including 1"),
        (["sparsity.ratio=50"], "try sparsity.ratio=0.5"),
        (["sparsity.rato=0.5"], "no key 'sparsity.rato' in the configuration"),
        (["+sparsity.rato=0.5"], "unexpected keyword argument 'rato'"),
        (["sparsity=2of4", "sparsity.m=5"], "has 32 inputs, which 5 does not divide"),
        (["model.path=../nowhere"], "model.path names no folder: ../nowhere"),
        (["model.path=nobody/nothing"], "nobody/nothing is no folder here, and the hub does not give it"),
        (["model.path=null"], "model.path is not set"),
        (["model.dtype=int4"], "model.dtype=int4; expected one of auto"),
        (["corpus.path=null"], "pruner=wanda needs calibration text"),
        (["evaluation.path=null"], "evaluation.path is not set"),
        (["model.shares=null"], "mix=mbs needs the model's training shares, and model.shares is not set"),
        (["languages=[en,de]"], "no de.txt or de.jsonl"),
        (["calibration.segments=0"], "calibration.segments=0; expected a whole number of 1 or more"),
        (["calibration.segments=3"], "calibration.segments=3 for 5 languages"),
        (["calibration.length=5000"], "tokens (40 documents"),
        (["mix=custom", "mix.weights={enn: 1}"], "mix.weights: unknown language 'enn'"),
        (["mix=single"], "mix.language: Missing mandatory value"),
        (["save=all"], "save=all; expected false, mask or true"),
        (["nonsense"], "cannot read 'nonsense'"),
        (["evaluation.length=${nowhere}"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    if "model.path=GPT2" in arguments:
        random_model("gpt2").save_pretrained("gpt2")
        arguments = [*arguments[:-1], "model.path=gpt2"]
        capfd.readouterr()
    assert words in one_line(*run(*arguments))


def test_a_yaml_weight_named_no(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "mix").mkdir(parents=True)
    (tmp_path / "mine/mix/mine.yaml").write_text(
        "_target_: mbs.data.mixes.Custom\nweights: {no: 1, en: 2}\nname: mine\n"
    )
    assert "YAML reads the bare words no, off, on and yes" in one_line(
        *run(f"--config-dir={tmp_path}/mine", "mix=mine")
    )


@pytest.mark.guard("mbs/run/inputs.py", "if same_id or content in contents:", "if False:")
def test_calibration_text_in_the_evaluation_is_refused(run: Run, corpus_folder: Path) -> None:
    for protocol in ("documents", "paper"):
        line = one_line(*run(f"evaluation.path={corpus_folder}", "mix=english", f"evaluation.protocol={protocol}"))
        assert "is also evaluation document en-" in line


def test_a_failed_job_keeps_to_its_own_wandb_run(run: Run) -> None:
    code, _, err = run("-m", "tracker=wandb", "languages=[en]", "evaluation.documents=1", "sparsity=2of4",
                     "sparsity.m=5,4")  # fmt: skip
    assert code == 2, err
    for name in ("2of5", "2of4"):
        assert len(list(only(f"tiny_bloom-wanda-{name}-*").glob("wandb/offline-run-*/run-*.wandb"))) == 1
    failed = only("tiny_bloom-wanda-2of5-*")
    assert not (failed / "result.json").exists()
    assert json.loads((failed / "metrics.jsonl").read_text().splitlines()[-1])["event"] == "failed"


def copied(checkpoint: Path, target: Path) -> Path:
    target.mkdir()
    for file in checkpoint.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_incomplete_checkpoints_are_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    first = next(name for name in tensors if "query_key_value.weight" in name)

    def with_tensors(name: str, changed: dict[str, torch.Tensor]) -> str:
        folder = copied(checkpoint, tmp_path / name)
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        return one_line(*run(f"model.path={folder}"))

    assert f"missing tensors: {first}" in with_tensors("a", {k: v for k, v in tensors.items() if k != first})
    extra = {**tensors, "transformer.extra.weight": torch.ones(2)}
    assert "unexpected tensors: transformer.extra.weight" in with_tensors("b", extra)
    assert "cannot be loaded" in with_tensors("c", {**tensors, first: torch.ones(2, 2)})


def test_unusable_checkpoint_folders_are_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = copied(checkpoint, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert ".bin files there: pytorch_model.bin" in one_line(*run(f"model.path={folder}"))
    (folder / "model.safetensors").write_bytes(b"\x10\0\0\0")
    assert "cannot be loaded" in one_line(*run(f"model.path={folder}"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert "tokenizer" in one_line(*run(f"model.path={folder}"))
    (folder / "config.json").unlink()
    assert "has no config.json" in one_line(*run(f"model.path={folder}"))


def test_a_half_precision_checkpoint_runs_on_a_cpu(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    copied(checkpoint, folder)
    AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float16).save_pretrained(folder)
    assert run(f"model.path={folder}", "languages=[en]")[0] == 0
    assert result_of("half-*")["numerics"]["dtype"] == "float32"
    assert "float16 is computed as float32" in result_of("half-*")["warnings"][0]


def test_a_bug_is_called_a_bug(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(cli, "_run", broken)
    code, _, err = run()
    assert code == 1
    assert "mbs: this is a bug (RuntimeError: oops)" in err
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RuntimeError, match="oops"):
        cli.main()


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-Werror", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def test_importing_mbs_and_completing_imports_no_torch() -> None:
    heavy = "[m for m in ('torch', 'transformers', 'wandb') if m in sys.modules]"
    assert python(f"import sys, mbs; print({heavy})").stdout.strip() == "[]"
    code = f"import sys, atexit, mbs.cli.main; atexit.register(lambda: print({heavy})); mbs.cli.main.main()"
    environment = {**os.environ, "COMP_LINE": "mbs pruner=", "COMP_POINT": "11"}
    command = [sys.executable, "-c", code, "-sc", "query=bash"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split("\n")
    assert shown[:2] == ["pruner=magnitude pruner=none pruner=sparsegpt pruner=wanda", "[]"]


def test_the_module_runs_like_the_command(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mbs", "sparsity=50"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())
