"""A survey of languages: the same amount of text from each, its vectors, what is near what, and the record of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mbs.data.sampler import CalibrationSet, sample_segments
from mbs.engine.checkpoint import checkpoint_digest, open_model, open_tokenizer
from mbs.engine.devices import resolved_device
from mbs.engine.model import BlockwiseModel
from mbs.errors import MbsError
from mbs.evaluation.similarity import (
    Clustering,
    Floats,
    Similarity,
    as_published,
    clustering,
    language_vectors,
    standardised,
)
from mbs.run.environment import computed_on, versions
from mbs.run.plan import check_lengths
from mbs.run.settings import SurveySettings
from mbs.storage.digests import digest
from mbs.storage.files import slug

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Survey:
    """The vectors `[C]` of the languages and where they came from; `settings` say what was asked for."""

    settings: SurveySettings
    vectors: Mapping[str, Floats]
    drawn: CalibrationSet
    model_digest: str
    computed: Mapping[str, str | int]

    @cached_property
    def measures(self) -> dict[str, tuple[Similarity, Clustering]]:
        """Each variant of the measure that has a meaning for so many languages, with its clustering."""
        made = {"published": as_published(self.vectors), "standardised": standardised(self.vectors)}
        return {name: (similarity, clustering(similarity)) for name, similarity in made.items() if similarity}

    @property
    def id(self) -> str:
        """The identity: the configuration without places, and the content of everything that was read."""
        config = dict(self.settings.config)
        for group in ("model", "corpus"):
            config[group] = {key: value for key, value in config.get(group, {}).items() if key != "path"}
        config["model"].pop("shares", None)
        config["model"]["device"] = resolved_device(self.settings.model.device)
        read = {"model": self.model_digest, "segments": self.drawn.content_hash}
        return digest({"config": config, "content": read, "versions": versions()})

    @property
    def directory(self) -> Path:
        """Where its files go."""
        return self.settings.outputs / f"similarity-{slug(self.settings.model.name, 40)}-{self.id[:8]}"


def survey(settings: SurveySettings, warn: Callable[[str], None] = lambda line: None) -> Survey:
    """Draw, and take every segment to the first block; raises MbsError before a model is loaded where it can."""
    languages = settings.languages or settings.corpus.languages
    if len(languages) < 2:
        raise MbsError(f"one language, {languages[0]}", "two or more to compare", "languages=null for all there are")
    for language in languages:
        settings.corpus.documents(language)
    folder = settings.model.folder()
    check_lengths({"calibration.length": settings.length}, folder)
    counts = dict.fromkeys(languages, settings.segments)
    drawn = sample_segments(settings.corpus, counts, open_tokenizer(folder), settings.length, settings.seed)
    for language in languages:
        for remark in settings.corpus.remarks(language):
            warn(remark)
    model = BlockwiseModel.of(open_model(folder, settings.model.dtype, settings.model.device, warn))
    rows = dict(zip(languages, np.split(drawn.tokens, len(languages)), strict=True))
    vectors = language_vectors(model.skeleton, rows, settings.batch_tokens)
    return Survey(settings, vectors, drawn, checkpoint_digest(folder), computed_on(model))


def as_json(found: Survey) -> dict[str, Any]:
    """Everything that was found, as plain data; rows and columns of every matrix stand in the order of `languages`."""
    measures = {
        name: {
            "cosine": similarity.cosine.tolist(),
            "angle": similarity.angle.tolist(),
            "distance": similarity.distance.tolist(),
            "merges": [{"left": m.left, "right": m.right, "height": m.height} for m in merged.merges],
            "order": merged.order,
        }
        for name, (similarity, merged) in found.measures.items()
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "id": found.id,
        "languages": list(found.vectors),
        "measures": measures,
        "vectors": {language: vector.tolist() for language, vector in found.vectors.items()},
        "segments": {
            "per_language": found.settings.segments,
            "length": found.settings.length,
            "content_hash": found.drawn.content_hash,
            "provenance": dict(found.settings.corpus.provenance()),
            "documents": found.drawn.documents_of,
        },
        "model_digest": found.model_digest,
        "config": found.settings.config,
        "versions": versions(),
        "numerics": found.computed,
    }
