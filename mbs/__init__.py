"""mbs: compress a multilingual language model and see what every language pays.

The names below are loaded when they are first used, so that `import mbs` is quick and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mbs.compression.compress import CompressOptions as CompressOptions
    from mbs.compression.compress import compress as compress
    from mbs.compression.pruners.magnitude import Magnitude as Magnitude
    from mbs.compression.pruners.sparsegpt import SparseGPT as SparseGPT
    from mbs.compression.pruners.wanda import Wanda as Wanda
    from mbs.compression.sparsity import Dense as Dense
    from mbs.compression.sparsity import NOfM as NOfM
    from mbs.compression.sparsity import Unstructured as Unstructured
    from mbs.data.corpora.folder import FolderCorpus as FolderCorpus
    from mbs.data.languages import LANGUAGES as LANGUAGES
    from mbs.data.languages import PAPER_LANGUAGES as PAPER_LANGUAGES
    from mbs.data.mixes import Custom as Custom
    from mbs.data.mixes import Mbs as Mbs
    from mbs.data.mixes import Single as Single
    from mbs.data.mixes import Uniform as Uniform
    from mbs.data.sampler import sample_segments as sample_segments
    from mbs.data.shares import Shares as Shares
    from mbs.data.shares import declare_shares as declare_shares
    from mbs.data.shares import roots as roots
    from mbs.engine.blocks import MemoryBlocks as MemoryBlocks
    from mbs.engine.checkpoint import open_model as open_model
    from mbs.engine.checkpoint import open_tokenizer as open_tokenizer
    from mbs.engine.model import BlockwiseModel as BlockwiseModel
    from mbs.engine.skeleton import Skeleton as Skeleton
    from mbs.errors import MbsError as MbsError
    from mbs.evaluation.windows import PerplexityTask as PerplexityTask
    from mbs.library import compress_model as compress_model
    from mbs.library import open as open  # noqa: A004
    from mbs.library import perplexity as perplexity
    from mbs.library import sample as sample
    from mbs.library import score_text as score_text
    from mbs.report.frame import runs as runs

__version__ = "0.2.0"

_WHERE = {
    "Custom": "data.mixes:Custom",
    "Dense": "compression.sparsity:Dense",
    "FolderCorpus": "data.corpora.folder:FolderCorpus",
    "LANGUAGES": "data.languages:LANGUAGES",
    "Magnitude": "compression.pruners.magnitude:Magnitude",
    "Mbs": "data.mixes:Mbs",
    "MbsError": "errors:MbsError",
    "MemoryBlocks": "engine.blocks:MemoryBlocks",
    "NOfM": "compression.sparsity:NOfM",
    "PAPER_LANGUAGES": "data.languages:PAPER_LANGUAGES",
    "PerplexityTask": "evaluation.windows:PerplexityTask",
    "Shares": "data.shares:Shares",
    "Single": "data.mixes:Single",
    "Skeleton": "engine.skeleton:Skeleton",
    "SparseGPT": "compression.pruners.sparsegpt:SparseGPT",
    "Uniform": "data.mixes:Uniform",
    "Unstructured": "compression.sparsity:Unstructured",
    "Wanda": "compression.pruners.wanda:Wanda",
    "BlockwiseModel": "engine.model:BlockwiseModel",
    "CompressOptions": "compression.compress:CompressOptions",
    "compress": "compression.compress:compress",
    "compress_model": "library:compress_model",
    "open": "library:open",
    "perplexity": "library:perplexity",
    "sample": "library:sample",
    "declare_shares": "data.shares:declare_shares",
    "open_model": "engine.checkpoint:open_model",
    "open_tokenizer": "engine.checkpoint:open_tokenizer",
    "roots": "data.shares:roots",
    "runs": "report.frame:runs",
    "sample_segments": "data.sampler:sample_segments",
    "score_text": "library:score_text",
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'mbs' has no attribute '{name}'")
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(import_module(f"mbs.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
