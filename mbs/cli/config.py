"""From Hydra's configuration to plain objects: the only place that calls instantiate, and below it no DictConfig."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mbs.cli.moved import moved_import, refuse_moved
from mbs.data.corpora.base import Corpus
from mbs.data.corpora.demo import DemoCorpus
from mbs.data.corpora.folder import FolderCorpus
from mbs.data.languages import Language, checked, extended
from mbs.data.shares import declare_shares
from mbs.engine.checkpoint import ModelSource
from mbs.errors import MbsError
from mbs.evaluation.tasks.rows import GENERATED
from mbs.evaluation.tasks.suite import Tasks
from mbs.evaluation.windows import PerplexityTask
from mbs.run.settings import Settings, SurveySettings

SAVES = {False: "none", "mask": "mask", True: "model"}
SURVEYED = ("model", "corpus", "calibration", "languages", "extra_languages", "seed", "batch_tokens")


def build(config: DictConfig) -> Settings:
    """Every object of a run, the cheap ones first; raises MbsError with one clear line and loads no model."""
    plain = _resolved(config)
    table = extended(plain["extra_languages"])
    languages = _languages(plain["languages"], table)
    mix = _made(config.mix, "mix")
    for field, codes in (("mix.weights", getattr(mix, "weights", None) or ()), ("mix.language", _single(mix))):
        checked(codes, field, table)
    save = plain["save"]
    if not isinstance(save, bool | str) or save not in SAVES:
        raise MbsError(f"save={save}", "false, mask or true")
    sparsity = _made(config.sparsity, "sparsity")
    model = cast(ModelSource, _made(config.model, "model"))
    evaluation = plain["evaluation"]
    text = {key: value for key, value in evaluation.items() if key not in ("tasks", "continuations")}
    task = cast(PerplexityTask, _made(text, "evaluation"))
    tasks = _tasks(evaluation.get("tasks"), model)
    return Settings(
        model=model,
        mix=mix,
        sparsity=sparsity,
        shares=declare_shares(model.shares, table),
        languages=languages,
        table=table,
        segments=_whole(plain["calibration"]["segments"], "calibration.segments", 1),
        length=_whole(plain["calibration"]["length"], "calibration.length", 2),
        seed=_whole(plain["seed"], "seed", 0),
        batch_tokens=_whole(plain["batch_tokens"], "batch_tokens", 1),
        save=SAVES[save],
        outputs=Path(str(plain["outputs"])),
        rerun=plain["rerun"],
        corpus=_corpus(config, model, table),
        task=task,
        evaluation=_evaluation(task, tasks, model, table),
        tasks=tasks,
        continuations=_whole(evaluation.get("continuations", 0), "evaluation.continuations", 0),
        tracker=_made(config.tracker, "tracker"),
        pruner=_made(config.pruner, "pruner"),
        config=plain,
    )


def build_survey(config: DictConfig) -> SurveySettings:
    """What comparing languages needs of the same configuration; raises MbsError like `build`."""
    plain = _resolved(config)
    table = extended(plain["extra_languages"])
    model = cast(ModelSource, _made(config.model, "model"))
    corpus = _corpus(config, model, table)
    if corpus is None:
        raise MbsError("corpus.path is not set", "a folder of <code>.txt or <code>.jsonl files", "corpus.path=FOLDER")
    return SurveySettings(
        model=model,
        corpus=corpus,
        languages=_languages(plain["languages"], table),
        segments=_whole(plain["calibration"]["segments"], "calibration.segments", 1),
        length=_whole(plain["calibration"]["length"], "calibration.length", 2),
        seed=_whole(plain["seed"], "seed", 0),
        batch_tokens=_whole(plain["batch_tokens"], "batch_tokens", 1),
        outputs=Path(str(plain["outputs"])),
        config={key: plain[key] for key in SURVEYED},
    )


def _languages(listed: object, table: Mapping[str, Language]) -> tuple[str, ...] | None:
    if listed is None:
        return None
    if not isinstance(listed, list) or not listed:
        raise MbsError(f"languages={listed!r}", "a list of language codes", "languages=[en,sw]")
    return checked(listed, "languages", table)


def _corpus(config: DictConfig, model: ModelSource, table: Mapping[str, Language]) -> Corpus | None:
    if config.corpus.get("path", "") is None:
        return None
    corpus = cast(Corpus, _made(config.corpus, "corpus", table=table))
    return None if _out_of_place(corpus, model) else corpus


def _tasks(described: dict[str, Any] | None, model: ModelSource) -> Tasks | None:
    """None where no task is named; generated rows are for the embedded models alone."""
    if not described or not described.get("names"):
        return None
    tasks = cast(Tasks, _made(described, "evaluation.tasks"))
    if tasks.path == GENERATED and not model.embedded:
        raise MbsError(
            f"evaluation.tasks.path={GENERATED}, rows of the generated world, for model.path={model.path}",
            "rows that say something about the model",
            "evaluation=xnli, with evaluation.tasks.path=FOLDER or the hub's",
        )
    return tasks


def _evaluation(
    task: PerplexityTask,
    tasks: Tasks | None,
    model: ModelSource,
    table: Mapping[str, Language],
) -> Corpus | None:
    if task.path is not None:
        return FolderCorpus(task.path, task.normalize, "evaluation", table)
    if task.corpus is not None and not _out_of_place(task.corpus, model):
        return task.corpus
    if tasks is None:
        raise MbsError(
            "evaluation.path is not set",
            "a folder of text per language, or tasks",
            "evaluation.path=FOLDER or evaluation=xnli",
        )
    return None


def _out_of_place(corpus: Corpus, model: ModelSource) -> bool:
    """Generated text is the default, but says nothing about a model that was not trained on it."""
    return isinstance(corpus, DemoCorpus) and not model.embedded


def _resolved(config: DictConfig) -> dict[str, Any]:
    try:
        plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
        refuse_moved(plain)
        return plain
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "the configuration"
        reason = str(error).splitlines()[0]
        raise MbsError(f"{key}: {reason}", "a value", f"{key}=VALUE") from error


def _made(config: DictConfig | dict[str, Any], group: str, **extra: object) -> Any:
    """The object that a group's yaml describes; our own errors pass through, others name the group."""
    try:
        return instantiate(config, _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__ or error
        known = cause if isinstance(cause, MbsError) else moved_import(error)
        if known:
            raise known from None
        reason = str(cause).strip().splitlines()[0]
        raise MbsError(f"{group}: {reason}", f"the keys of a file in conf/{group}", "mbs --cfg job") from error


def _single(mix: object) -> tuple[str, ...]:
    language = getattr(mix, "language", None)
    return () if language is None else (language,)


def _whole(value: object, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise MbsError(f"{key}={value}", f"a whole number of {least} or more")
    return value
