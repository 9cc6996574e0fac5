"""What a run reads, gathered and checked before any model is loaded, and the identity that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mbs.errors import MbsError
from mbs.evaluators.windows import LanguageText
from mbs.machine import versions
from mbs.mixes import Plan, plan
from mbs.models import checkpoint_digest, context_length, open_tokenizer, resolved_device
from mbs.paths import slug
from mbs.pruners.base import check_pruner
from mbs.sampler import CalibrationSet, sample_segments
from mbs.settings import Settings
from mbs.store import digest
from mbs.tokenizer import Tokenizer


@dataclass(frozen=True)
class Inputs:
    """The checkpoint's folder, content and tokenizer, the calibration set as planned and drawn, the evaluation text."""

    folder: Path
    model_digest: str
    tokenizer: Tokenizer
    plan: Plan | None
    calibration: CalibrationSet | None
    texts: list[LanguageText]

    def left_out(self) -> Iterator[str]:
        """One warning for languages that the corpus lacks, and one for those that get no segment."""
        if self.plan and self.plan.dropped:
            yield f"not in the corpus and left out of the mix: {', '.join(self.plan.dropped)}"
        if self.plan and self.plan.without_segment:
            yield f"too few segments for a segment in: {', '.join(self.plan.without_segment)}"


def gather(settings: Settings) -> Inputs:
    """Read, plan, tokenize and draw; raises MbsError for everything that can be known without the model's weights."""
    check_pruner(settings.pruner, settings.sparsity)
    languages = evaluated_languages(settings)
    drawn = _plan(settings)
    folder = settings.model.folder()
    _check_context(settings, folder)
    tokenizer = open_tokenizer(folder)
    texts = [settings.task.read(settings.evaluation, language, tokenizer) for language in languages]
    calibration = _sample(settings, drawn, tokenizer)
    _refuse_overlap(settings, calibration, texts)
    return Inputs(folder, checkpoint_digest(folder), tokenizer, drawn, calibration, texts)


def identity(settings: Settings, inputs: Inputs) -> str:
    """The run's id: its configuration without places and trackers, the content of everything it reads, the device."""
    config = {key: value for key, value in settings.config.items() if key not in ("tracker", "outputs")}
    for group in ("model", "corpus", "evaluation"):
        config[group] = {key: value for key, value in dict(config.get(group) or {}).items() if key != "path"}
    config["model"].pop("shares", None)
    config["model"]["device"] = resolved_device(settings.model.device)
    read = {
        "model": inputs.model_digest,
        "shares": {code: str(amount) for code, amount in settings.shares.amounts.items()} if settings.shares else None,
        "calibration": inputs.calibration.content_hash if inputs.calibration else None,
        "texts": {text.language: text.content_hash for text in inputs.texts},
    }
    return digest({"config": config, "content": read, "versions": versions()})


def run_name(settings: Settings, run_id: str) -> str:
    """The run's directory name: readable parts that cannot leave the output root, and the start of its id."""
    parts = (settings.model.name, settings.pruner.name, settings.sparsity.name, settings.mix.name)
    return "-".join([*(slug(str(part), 40) for part in parts), run_id[:8]])


def evaluated_languages(settings: Settings) -> tuple[str, ...]:
    """The languages asked for, or all of the evaluation text; by declared share, then in the order of the table."""
    available = settings.evaluation.languages
    wanted = settings.languages or available
    for language in wanted:
        if language not in available:
            settings.evaluation.documents(language)
    order = settings.shares.languages if settings.shares else ()
    return tuple(sorted(wanted, key=lambda code: order.index(code) if code in order else len(order)))


def _plan(settings: Settings) -> Plan | None:
    if not settings.pruner.needs:
        return None
    if settings.corpus is None:
        raise MbsError(
            f"pruner={settings.pruner.name} needs calibration text, and corpus.path is not set",
            "a folder of <code>.txt or <code>.jsonl files",
            "corpus.path=FOLDER",
        )
    available = settings.corpus.languages
    candidates = settings.languages or (settings.shares.languages if settings.shares else available)
    drawn = plan(settings.mix, candidates, available, settings.segments, settings.shares)
    for language in drawn.counts:
        settings.corpus.documents(language)
    return drawn


def _sample(settings: Settings, drawn: Plan | None, tokenizer: Tokenizer) -> CalibrationSet | None:
    if drawn is None or settings.corpus is None:
        return None
    return sample_segments(settings.corpus, drawn.counts, tokenizer, settings.length, settings.seed)


def _refuse_overlap(settings: Settings, calibration: CalibrationSet | None, texts: list[LanguageText]) -> None:
    if calibration is None or settings.corpus is None:
        return
    evaluated = {
        document.content_hash: document.id
        for text in texts
        for document in settings.evaluation.documents(text.language)[: settings.task.documents]
    }
    for language, ids in calibration.documents_of.items():
        for document in settings.corpus.documents(language):
            if document.id in ids and document.content_hash in evaluated:
                raise MbsError(
                    f"calibration document {document.id} ({language}) is also evaluation document"
                    f" {evaluated[document.content_hash]}",
                    "evaluation text that calibration does not use",
                    "another corpus.path or evaluation.path",
                )


def _check_context(settings: Settings, folder: Path) -> None:
    limit = context_length(folder)
    lengths = {"evaluation.length": settings.task.length}
    if settings.pruner.needs:
        lengths["calibration.length"] = settings.length
    for key, length in lengths.items():
        if limit is not None and length > limit:
            raise MbsError(f"{key}={length}, and the model's context is {limit} tokens", "no more", f"{key}={limit}")
