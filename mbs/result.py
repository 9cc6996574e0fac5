"""The result of a run: the contract that tables, sweeps and scripts read."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbs.compress import LayerReport, achieved
from mbs.evaluators.windows import LanguageText
from mbs.metrics import LanguageResult, Summary
from mbs.paths import write_whole
from mbs.store import strict_json

SCHEMA_VERSION = 1


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
    """Everything a run found; `languages` stand in the order of their training shares."""

    id: str
    directory: Path
    pruner: str
    mix: str
    model_digest: str
    text_hashes: Mapping[str, str]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    numerics: Mapping[str, str | int]
    shares: Mapping[str, str] | None
    calibration: Calibration
    languages: Mapping[str, LanguageResult]
    summary: Summary
    requested_sparsity: str
    layers: Sequence[LayerReport]
    seconds: Mapping[str, float]
    peak_memory_bytes: int
    warnings: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """The content of `result.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "pruner": self.pruner,
            "mix": self.mix,
            "content": {"model": self.model_digest, "evaluation": self.text_hashes},
            "config": self.config,
            "versions": self.versions,
            "numerics": self.numerics,
            "shares": self.shares,
            "calibration": asdict(self.calibration),
            "languages": {code: asdict(row) for code, row in self.languages.items()},
            "summary": {
                **asdict(self.summary),
                "low_resource_languages": list(self.summary.low_resource_languages),
            },
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


def write_masks(directory: Path, layers: Sequence[LayerReport], whole: bool) -> None:
    """`mask.npz`: per layer the packed bits (1 = kept) of the flat `[R, C]` mask, outputs by inputs however the module
    stores them, at `compress.mask_positions` or at all positions (`whole`), and `<layer>.shape`.
    """
    arrays = {layer.name: layer.mask for layer in layers}
    shapes = {f"{layer.name}.shape": np.asarray(layer.shape) for layer in layers}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, **shapes, whole=np.asarray(whole))  # type: ignore[arg-type]
    write_whole(directory / "mask.npz", buffer.getvalue())


def write_scores(
    directory: Path,
    texts: Sequence[LanguageText],
    dense: Mapping[str, np.ndarray],
    compressed: Mapping[str, np.ndarray],
) -> None:
    """`scores.parquet`: one row per language and document (or window), with the NLL of both models in nats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    units = [(text.language, unit) for text in texts for unit in text.units]
    table = pa.table(
        {
            "language": [language for language, _ in units],
            "id": [unit.id for _, unit in units],
            "content_hash": [unit.content_hash for _, unit in units],
            "tokens": [unit.tokens for _, unit in units],
            "bytes": [unit.bytes for _, unit in units],
            "characters": [unit.characters for _, unit in units],
            "nll_dense": np.concatenate([dense[text.language] for text in texts]),
            "nll_compressed": np.concatenate([compressed[text.language] for text in texts]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_whole(directory / "scores.parquet", buffer.getvalue())


def write_result(result: Result) -> None:
    """`result.json`, written last: where it is, the run is finished."""
    text = strict_json(result.as_json(), indent=1) + "\n"
    write_whole(result.directory / "result.json", text.encode())
