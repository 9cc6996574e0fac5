"""Checkpoints that are incomplete are refused, and one in half precision runs on a CPU."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from conftest import Run
from runs import one_line, result_of
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM


def test_incomplete_checkpoints_are_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    first = next(name for name in tensors if "query_key_value.weight" in name)

    def with_tensors(name: str, changed: dict[str, torch.Tensor]) -> str:
        folder = shutil.copytree(checkpoint, tmp_path / name)
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        return one_line(*run(f"model.path={folder}"))

    assert f"missing tensors: {first}" in with_tensors("a", {k: v for k, v in tensors.items() if k != first})
    extra = {**tensors, "transformer.extra.weight": torch.ones(2)}
    assert "unexpected tensors: transformer.extra.weight" in with_tensors("b", extra)
    assert "cannot be loaded" in with_tensors("c", {**tensors, first: torch.ones(2, 2)})


def test_unusable_checkpoint_folders_are_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "model")
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
    shutil.copytree(checkpoint, folder)
    AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float16).save_pretrained(folder)
    assert run(f"model.path={folder}", "languages=[en]")[0] == 0
    assert result_of("half-*")["numerics"]["dtype"] == "float32"
    assert "float16 is computed as float32" in result_of("half-*")["warnings"][0]
