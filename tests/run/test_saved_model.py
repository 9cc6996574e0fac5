"""What is saved is what was measured: weights, masks and perplexity."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Run
from runs import folder_of, result_of
from transformers import AutoModelForCausalLM, AutoTokenizer

from mbs.compression.layer_reports import mask_positions
from mbs.data.corpora.folder import FolderCorpus
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.windows import PerplexityTask


def test_the_saved_model_is_the_measured_one(run: Run, checkpoint: Path) -> None:
    assert run("save=true", "languages=[en]")[0] == 0
    directory = folder_of()
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
    monkeypatch.setattr("mbs.engine.checkpoint._slow", lambda dtype, _: dtype != torch.float32)
    folder = tmp_path / "original"
    shutil.copytree(checkpoint, folder)
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
