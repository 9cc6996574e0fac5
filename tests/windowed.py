"""Evaluation text in tests: in windows of 32 tokens."""

from __future__ import annotations

from pathlib import Path

from mbs.data.corpora.folder import FolderCorpus
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.windows import LanguageText, PerplexityTask

LENGTH = 32


def read(folder: Path, tokenizer: Tokenizer, language: str, protocol: str) -> LanguageText:
    return PerplexityTask(protocol=protocol, length=LENGTH).read(FolderCorpus(folder), language, tokenizer)
