"""The result of a run: the contract that tables, sweeps and scripts read."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbs.compression.layer_reports import LayerReport, achieved
from mbs.engine.tokenizer import Tokenizer
from mbs.evaluation.continuations import Continuation, Prompt, continuation, references
from mbs.evaluation.perplexity import TextScores, unit_of_sampled
from mbs.evaluation.tasks.harness import Answers
from mbs.evaluation.tasks.suite import TaskText
from mbs.evaluation.windows import LanguageText
from mbs.run.comparison import Findings
from mbs.run.identity import Identity
from mbs.storage.digests import strict_json
from mbs.storage.files import write_whole
from mbs.storage.record import SCHEMA_VERSION


@dataclass(frozen=True)
class Calibration:
    """What was drawn: segments and document ids per language, what was left out, where it came from.

    `used` is False for a pruner that looks at the weights alone; nothing is drawn then.
    """

    used: bool
    segments: Mapping[str, int]
    length: int
    dropped_languages: Sequence[str]
    languages_without_segment: Sequence[str]
    content_hash: str | None
    provenance: Mapping[str, object]
    documents: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Result:
    """Everything that a run measured; languages stand in the order of their training shares."""

    identity: Identity
    pruner: str
    mix: str
    model_digest: str
    text_hashes: Mapping[str, str]
    task_hashes: Mapping[str, str]
    evaluation: Mapping[str, object]
    config: Mapping[str, Any]
    numerics: Mapping[str, str | int]
    shares: Mapping[str, str] | None
    calibration: Calibration
    findings: Findings
    requested_sparsity: str
    layers: Sequence[LayerReport]
    seconds: Mapping[str, float]
    peak_memory_bytes: int
    warnings: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """The content of `result.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "id": self.identity.id,
            "identity": asdict(self.identity),
            "pruner": self.pruner,
            "mix": self.mix,
            "content": {"model": self.model_digest, "evaluation": self.text_hashes, "tasks": self.task_hashes},
            "evaluation": self.evaluation,
            "config": self.config,
            "versions": self.identity.code,
            "numerics": self.numerics,
            "shares": self.shares,
            "calibration": asdict(self.calibration),
            **plain(asdict(self.findings)),
            "sparsity": {
                "requested": self.requested_sparsity,
                "achieved": achieved(self.layers),
                "layers": {layer.name: layer.sparsity for layer in self.layers},
            },
            "layers": {
                layer.name: {"error": layer.error, "errors": layer.errors, **layer.notes} for layer in self.layers
            },
            "seconds": self.seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "warnings": list(self.warnings),
        }


def plain(value: Any) -> Any:
    """The value as JSON would give it back: tuples are lists."""
    if isinstance(value, Mapping):
        return {key: plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    return value


def write_masks(directory: Path, layers: Sequence[LayerReport], whole: bool) -> None:
    """`mask.npz`: per layer the packed bits (1 = kept) of the flat `[R, C]` mask, outputs by inputs however the module
    stores them, at `layers.mask_positions` or at all positions (`whole`), and `<layer>.shape`.
    """
    arrays = {layer.name: layer.mask for layer in layers}
    shapes = {f"{layer.name}.shape": np.asarray(layer.shape) for layer in layers}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, **shapes, whole=np.asarray(whole))  # type: ignore[arg-type]
    write_whole(directory / "mask.npz", buffer.getvalue())


def write_scores(
    directory: Path,
    texts: Sequence[LanguageText],
    dense: Mapping[str, TextScores],
    compressed: Mapping[str, TextScores],
) -> None:
    """`scores.parquet`: one row per language and document (or window), with the NLL of both models in nats, and the
    sum of KL(dense || compressed) over `divergence_tokens` sampled tokens.
    """
    units = [(text.language, unit) for text in texts for unit in text.units]
    if not units:
        return
    owners = {text.language: unit_of_sampled(text, len(compressed[text.language].divergence)) for text in texts}
    counts = [np.bincount(owners[text.language], minlength=len(text.units)) for text in texts]
    sums = [np.bincount(owners[text.language], compressed[text.language].divergence, len(text.units)) for text in texts]
    _write_table(
        directory / "scores.parquet",
        {
            "language": [language for language, _ in units],
            "id": [unit.id for _, unit in units],
            "content_hash": [unit.content_hash for _, unit in units],
            "tokens": [unit.tokens for _, unit in units],
            "bytes": [unit.bytes for _, unit in units],
            "characters": [unit.characters for _, unit in units],
            "nll_dense": np.concatenate([dense[text.language].nll for text in texts]),
            "nll_compressed": np.concatenate([compressed[text.language].nll for text in texts]),
            "divergence": np.concatenate(sums),
            "divergence_tokens": np.concatenate(counts),
        },
    )


def write_answers(
    directory: Path, tasks: Sequence[TaskText], dense: Sequence[Answers], compressed: Sequence[Answers]
) -> None:
    """`answers.parquet`: one row per task, language and item, with ln p of every answer under both models."""
    columns: dict[str, list[Any]] = {}
    for task, before, after in zip(tasks, dense, compressed, strict=True):
        for number, row in enumerate(before.rows):
            values = {
                "task": task.family,
                "language": task.language,
                "id": task.ids[row],
                "gold": int(before.gold[number]),
                "correct_dense": bool(before.correct[number]),
                "correct_compressed": bool(after.correct[number]),
                "loglik_dense": _known(before.loglik[number]),
                "loglik_compressed": _known(after.loglik[number]),
            }
            for key, value in values.items():
                columns.setdefault(key, []).append(value)
    if columns:
        _write_table(directory / "answers.parquet", columns)


def write_continuations(
    directory: Path,
    prompts: Mapping[str, Sequence[Prompt]],
    tokenizer: Tokenizer,
    dense: Mapping[str, Sequence[Continuation]],
    compressed: Mapping[str, Sequence[Continuation]],
) -> None:
    """`continuations.jsonl`: one row per prompt with how the document, the dense and the compressed model go on."""
    lines = []
    for language, starts in prompts.items():
        rows = zip(starts, references(starts, tokenizer), dense[language], compressed[language], strict=True)
        for prompt, reference, before, after in rows:
            row = {
                "language": language,
                "document": prompt.document,
                "prompt": continuation(prompt.ids, tokenizer).text,
                "reference": reference.text,
                "dense": before.text,
                "compressed": after.text,
            }
            lines.append(strict_json(row))
    if lines:
        write_whole(directory / "continuations.jsonl", ("\n".join(lines) + "\n").encode())


def _known(logliks: np.ndarray) -> list[float]:
    return [float(value) for value in logliks[~np.isnan(logliks)]]


def _write_table(file: Path, columns: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), buffer)
    write_whole(file, buffer.getvalue())
