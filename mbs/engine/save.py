"""Writes a compressed model as a folder that plain transformers loads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import GenerationConfig, PreTrainedModel

from mbs.engine.tokenizer import Tokenizer
from mbs.storage.files import PART, unwritable

GENERATION = "generation_config.json"


def save_model(
    model: PreTrainedModel, tokenizer: Tokenizer, source: Path | None, target: Path, dtype: torch.dtype
) -> None:
    """Weights in `dtype`, configuration, tokenizer, and the source folder's generation configuration, if any, as it is.

    Transformers would refuse to write a generation configuration that it reads without complaint, as many published
    ones are. The folder is there whole or not at all, and the model is afterwards as it was.
    """
    before = model.dtype, model.generation_config
    nn.Module.to(model, dtype)
    model.generation_config = GenerationConfig.from_model_config(model.config)
    made = target.with_name(f".{target.name}{PART}")
    shutil.rmtree(made, ignore_errors=True)
    try:
        model.save_pretrained(made)
        tokenizer.hf.save_pretrained(made)
        if source and (source / GENERATION).is_file():
            shutil.copyfile(source / GENERATION, made / GENERATION)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(made, ignore_errors=True)
        raise unwritable(target, _os_error(error)) from error
    finally:
        nn.Module.to(model, before[0])
        model.generation_config = before[1]


def _os_error(error: OSError | SafetensorError) -> OSError:
    """What safetensors says of the disk in words alone, as the error that it was."""
    if isinstance(error, OSError):
        return error
    code = re.search(r"os error (\d+)", str(error))
    return OSError(int(code[1]), str(error)) if code else OSError(str(error))
