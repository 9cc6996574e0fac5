"""Writes a compressed model as a folder that plain transformers loads."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedModel

from mbs.tokenizer import Tokenizer

GENERATION = "generation_config.json"


def save_model(model: PreTrainedModel, tokenizer: Tokenizer, source: Path, target: Path, dtype: torch.dtype) -> None:
    """Weights in `dtype`, configuration, tokenizer, and the source folder's generation configuration, if any, as it is.

    Transformers would refuse to write a generation configuration that it reads without complaint, as many published
    ones are. The model is converted in place.
    """
    nn.Module.to(model, dtype)
    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.save_pretrained(target)
    tokenizer.hf.save_pretrained(target)
    if (source / GENERATION).is_file():
        shutil.copyfile(source / GENERATION, target / GENERATION)
