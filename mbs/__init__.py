"""mbs: compress a multilingual language model and see what every language pays.

The names below are loaded when they are first used, so that `import mbs` is quick and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mbs.blocks import MemoryBlocks as MemoryBlocks
    from mbs.compress import compress_model as compress_model
    from mbs.corpora.folder import FolderCorpus as FolderCorpus
    from mbs.errors import MbsError as MbsError
    from mbs.evaluators.perplexity import score_text as score_text
    from mbs.evaluators.windows import PerplexityTask as PerplexityTask
    from mbs.languages import LANGUAGES as LANGUAGES
    from mbs.languages import PAPER_LANGUAGES as PAPER_LANGUAGES
    from mbs.mixes import Custom as Custom
    from mbs.mixes import Mbs as Mbs
    from mbs.mixes import Single as Single
    from mbs.mixes import Uniform as Uniform
    from mbs.models import open_model as open_model
    from mbs.models import open_tokenizer as open_tokenizer
    from mbs.pruners.magnitude import Magnitude as Magnitude
    from mbs.pruners.sparsegpt import SparseGPT as SparseGPT
    from mbs.pruners.wanda import Wanda as Wanda
    from mbs.report.frame import runs as runs
    from mbs.sampler import sample_segments as sample_segments
    from mbs.shares import Shares as Shares
    from mbs.shares import declare_shares as declare_shares
    from mbs.shares import roots as roots
    from mbs.skeleton import Skeleton as Skeleton
    from mbs.sparsity import Dense as Dense
    from mbs.sparsity import NOfM as NOfM
    from mbs.sparsity import Unstructured as Unstructured

__version__ = "0.1.0"

_WHERE = {
    "Custom": "mixes:Custom",
    "Dense": "sparsity:Dense",
    "FolderCorpus": "corpora.folder:FolderCorpus",
    "LANGUAGES": "languages:LANGUAGES",
    "Magnitude": "pruners.magnitude:Magnitude",
    "Mbs": "mixes:Mbs",
    "MbsError": "errors:MbsError",
    "MemoryBlocks": "blocks:MemoryBlocks",
    "NOfM": "sparsity:NOfM",
    "PAPER_LANGUAGES": "languages:PAPER_LANGUAGES",
    "PerplexityTask": "evaluators.windows:PerplexityTask",
    "Shares": "shares:Shares",
    "Single": "mixes:Single",
    "Skeleton": "skeleton:Skeleton",
    "SparseGPT": "pruners.sparsegpt:SparseGPT",
    "Uniform": "mixes:Uniform",
    "Unstructured": "sparsity:Unstructured",
    "Wanda": "pruners.wanda:Wanda",
    "compress_model": "compress:compress_model",
    "declare_shares": "shares:declare_shares",
    "open_model": "models:open_model",
    "open_tokenizer": "models:open_tokenizer",
    "roots": "shares:roots",
    "runs": "report.frame:runs",
    "sample_segments": "sampler:sample_segments",
    "score_text": "evaluators.perplexity:score_text",
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'mbs' has no attribute '{name}'")
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(import_module(f"mbs.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
