"""Opens a causal language model of transformers from a local folder or the hub, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import huggingface_hub
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from mbs.engine.devices import resolved_device
from mbs.engine.matmul import PLAIN, Numerics
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError, unknown
from mbs.storage.digests import digest_file, digest_files

EMBEDDED = "embedded:"
CHECKPOINTS = Path(__file__).parents[1] / "demo" / "checkpoints"
DTYPES = ("auto", "float32", "bfloat16", "float16")
DECIDING = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*",
            "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.model")  # fmt: skip
ADAPTER = "adapter_config.json"
WANTED = ("*.safetensors", "*.json", "*.txt", "*.model")


@dataclass(frozen=True)
class ModelSource:
    """Which model, the dtype to compute in (`auto`: the checkpoint's), the device, its training shares.

    `path` is a folder, a hub id, or `embedded:NAME` for a checkpoint that the package holds. `length` is the window in
    tokens that calibration and evaluation take unless told otherwise.
    """

    path: str | None
    dtype: str = "auto"
    device: str = "auto"
    shares: object = None
    length: int = 2048

    def __post_init__(self) -> None:
        if not self.path:
            raise MbsError("model.path is not set", "a folder or a hub id", "model.path=FOLDER")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(self.device)):
            raise MbsError(f"model.device={self.device}", "auto, cpu, mps, cuda or cuda:N")
        if self.dtype not in DTYPES:
            raise MbsError(f"model.dtype={self.dtype}", f"one of {', '.join(DTYPES)}")

    @property
    def embedded(self) -> bool:
        """Whether it is one of the package's own checkpoints."""
        return str(self.path).startswith(EMBEDDED)

    @property
    def name(self) -> str:
        """The last part of the path."""
        if self.embedded:
            return str(self.path).removeprefix(EMBEDDED)
        return Path(str(self.path)).resolve().name if Path(str(self.path)).exists() else str(self.path).split("/")[-1]

    def folder(self) -> Path:
        """The local folder of the checkpoint, fetched from the hub where it is not one; it must hold safetensors."""
        if self.embedded:
            return _embedded(self.name)
        path = Path(str(self.path))
        folder = path if path.is_dir() else _from_hub(str(self.path))
        if not (folder / "config.json").is_file():
            raise MbsError(f"{folder} has no config.json", "a model folder as transformers saves it")
        if (folder / ADAPTER).is_file():
            raise MbsError(
                f"{folder} has {ADAPTER}: its weights are changed by an adapter when it is loaded",
                "the weights that are to be compressed",
                "saving it again after merge_and_unload()",
            )
        if not list(folder.glob("*.safetensors")):
            old = ", ".join(file.name for file in sorted(folder.glob("*.bin"))) or "none"
            raise MbsError(
                f"{folder} has no .safetensors file (.bin files there: {old})",
                "safetensors, because a .bin file can run code when it is read",
                "saving the model again with save_pretrained()",
            )
        return folder


def _embedded(name: str) -> Path:
    held = sorted(folder.name for folder in CHECKPOINTS.iterdir() if (folder / "config.json").is_file())
    if name not in held:
        raise unknown("embedded model", name, held)
    return CHECKPOINTS / name


@cache  # one look at the hub, and one revision, for all runs of a sweep
def _from_hub(path: str) -> Path:
    looks_local = path.startswith((".", "/", "~")) or path.count("/") != 1
    if looks_local:
        raise MbsError(f"model.path names no folder: {path}", "a folder, or a hub id such as bigscience/bloom-560m")
    try:
        return Path(huggingface_hub.snapshot_download(path, allow_patterns=list(WANTED)))
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise MbsError(
            f"model.path: {path} is no folder here, and the hub does not give it ({type(error).__name__}: {reason})",
            "a folder, or a hub id that can be reached",
        ) from error


def checkpoint_digest(folder: Path, of: Callable[[Path], str] = digest_file) -> str:
    """SHA-256 of the weights, the configurations and the tokenizer of a checkpoint; `of` gives that of one file."""
    return digest_files((file for pattern in DECIDING for file in folder.glob(pattern)), of)


def open_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer."""
    try:
        return Tokenizer(AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    except Exception as error:  # a damaged tokenizer.json ends in a bare Exception
        raise MbsError(f"{folder}: no usable tokenizer ({_first_line(error)})", "tokenizer.json") from error


def context_length(folder: Path) -> int | None:
    """The most tokens that the model was made for, or None where its configuration sets no limit (ALiBi)."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    limits = (config.get("text_config") or config, config)
    found = (part.get(key) for part in limits for key in ("max_position_embeddings", "n_positions"))
    return next((int(limit) for limit in found if isinstance(limit, int)), None)


def open_model(
    folder: Path,
    dtype: str = "auto",
    device: str = "auto",
    warn: Callable[[str], None] = lambda line: None,
    numerics: Numerics = PLAIN,
) -> PreTrainedModel:
    """The checkpoint's model in evaluation mode; raises MbsError unless every tensor is there and fits.

    The dtype `auto` is the checkpoint's. On a CPU float16 is computed as float32 (see `stored_dtype`), and so is
    bfloat16 where `numerics` says that its products are no faster.
    """
    where = resolved_device(device)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise MbsError(f"{folder} cannot be loaded ({_first_line(error)})", "a causal language model") from error
    model, info = cast(tuple[PreTrainedModel, dict[str, Any]], loaded)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        tensors = sorted(str(key) for key in info.get(problem) or ())
        if tensors:
            raise MbsError(
                f"{folder}: {problem.split('_')[0]} tensors: {', '.join(tensors[:3])} ({len(tensors)} in all)",
                "a checkpoint that fits its config.json to the tensor",
            )
    if where == "cpu" and _slow(model.dtype, numerics):
        name = str(model.dtype).removeprefix("torch.")
        warn(f"{name} is computed as float32 on this CPU; new weights are rounded to {name}, and saved as such")
        model.float()
    nn.Module.to(model, where)
    model.eval()
    return model


def stored_dtype(model: PreTrainedModel) -> torch.dtype:
    """The dtype that new weights are rounded to and saved in: the one in which the model was opened."""
    opened = model.config.dtype
    return opened if isinstance(opened, torch.dtype) else model.dtype


def _slow(dtype: torch.dtype, numerics: Numerics) -> bool:
    """Whether a CPU computes faster in float32 than in this dtype."""
    return dtype == torch.float16 or (dtype == torch.bfloat16 and not numerics.bfloat16)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
