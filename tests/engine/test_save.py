"""A model is saved whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbs.engine.save import save_model
from mbs.errors import MbsError


def test_a_model_is_saved_whole_or_not_at_all(tmp_path: Path, checkpoint: Path) -> None:
    from safetensors import SafetensorError

    from mbs.engine.checkpoint import open_model, open_tokenizer

    model = open_model(checkpoint)
    tokenizer = open_tokenizer(checkpoint)
    save_model(model, tokenizer, checkpoint, tmp_path / "model", model.dtype)
    before = sorted(file.name for file in (tmp_path / "model").iterdir())

    def full(folder: Path) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model.safetensors").write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    model.save_pretrained = full  # type: ignore[assignment, method-assign]
    with pytest.raises(MbsError, match=r"no space left for .*model; expected room on that disk"):
        save_model(model, tokenizer, checkpoint, tmp_path / "model", model.dtype)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == before
