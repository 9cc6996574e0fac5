"""Which tasks to evaluate in which languages, and their rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from mbs.demo.sample import sample_file
from mbs.errors import MbsError, unknown
from mbs.evaluation.tasks.benchmarks import BENCHMARKS, PAPER, Benchmark
from mbs.evaluation.tasks.rows import (
    GENERATED,
    Row,
    generated_languages,
    generated_rows,
    hub_rows,
    local_file,
    read_file,
    row_ids,
)
from mbs.storage.digests import digest

SETS = ("paper", "all")
PROMPTS = Path(__file__).parent


@dataclass(frozen=True)
class TaskText:
    """A benchmark in one language: its rows, where they came from, and lm-eval's definition without the data."""

    benchmark: Benchmark
    language: str
    source: str
    rows: tuple[Row, ...]

    @property
    def family(self) -> str:
        """The benchmark's name."""
        return self.benchmark.family

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the rows, the same in every language where rows are translations of each other."""
        return tuple(row_ids(self.rows))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the rows."""
        text = json.dumps(self.rows, ensure_ascii=False, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def chance(self) -> float:
        """The accuracy of guessing: the mean of one over the number of choices, which may differ between rows."""
        if self.benchmark.choices == 0:
            return 0.0
        return sum(1 / len(self.benchmark.options(row)) for row in self.rows) / len(self.rows)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """lm-eval's task as a dictionary."""
        return load_spec(self.benchmark, self.language)

    @cached_property
    def spec_digest(self) -> str:
        """Digest of the prompt and of lm-eval's version."""
        return digest({"spec": _plain(self.spec), "lm-eval": metadata.version("lm-eval")})


@dataclass(frozen=True)
class Tasks:
    """The tasks by name (families, `paper`, `all`), where their rows lie, and how many to take.

    `path` is a folder of `<family>/<code>.<split>.jsonl` in the benchmark's own fields, `embedded:demo` for the
    generated world's inference items, or None for the hub. Each of `languages` is required: of every family that is
    named by itself, and of one family at least of `paper` and `all`. Without them, all there are.
    """

    names: Sequence[str] | str
    path: str | None = None
    limit: int | None = None
    languages: Sequence[str] | str | None = None

    def __post_init__(self) -> None:
        if not self._names:
            raise MbsError("evaluation.tasks.names is empty", f"one or more of {', '.join([*BENCHMARKS, *SETS])}")
        for name in self._names:
            if name not in BENCHMARKS and name not in SETS:
                raise unknown("evaluation.tasks.names", str(name), [*BENCHMARKS, *SETS])
        if self.limit is not None and (
            not isinstance(self.limit, int) or isinstance(self.limit, bool) or self.limit < 1
        ):
            raise MbsError(f"evaluation.tasks.limit={self.limit}", "a whole number of one or more, or null for all")
        if self.path is not None and self.path != GENERATED and not Path(self.path).is_dir():
            raise MbsError(
                f"evaluation.tasks.path names no folder: {self.path}",
                "a folder of <task>/<code>.<split>.jsonl files",
                "evaluation.tasks.path=FOLDER",
            )

    @property
    def _names(self) -> Sequence[str]:
        return [self.names] if isinstance(self.names, str) else self.names

    @property
    def asked(self) -> Mapping[str, tuple[str, ...]]:
        """The families asked for, and the languages of each."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self._names:
            every = {family: tuple(benchmark.yamls) for family, benchmark in BENCHMARKS.items()}
            chosen = PAPER if name == "paper" else every if name == "all" else {name: every[name]}
            for family, languages in chosen.items():
                found[family] = tuple(dict.fromkeys([*found.get(family, ()), *languages]))
        return found

    def read(self, languages: Sequence[str] | None = None) -> list[TaskText]:
        """Every task asked for in every wanted language that has rows, checked.

        Raises MbsError for rows that are not as they should be, for a task named by itself that has no rows at all, and
        for a language in `languages` of these settings that a task lacks.
        """
        return [self._read(benchmark, code) for benchmark, code in self._chosen(languages)]

    def content(self, languages: Sequence[str] | None, digest_of: Callable[[Path], str]) -> dict[str, str]:
        """What decides the rows of each `family/language` that `read` would give: a digest of the file, or the rows."""
        found = {}
        for benchmark, code in self._chosen(languages):
            file = self._file(benchmark, code) if self.path is not None else None
            found[f"{benchmark.family}/{code}"] = digest_of(file) if file else self._read(benchmark, code).content_hash
        return found

    def _chosen(self, languages: Sequence[str] | None) -> list[tuple[Benchmark, str]]:
        required = [self.languages] if isinstance(self.languages, str) else list(dict.fromkeys(self.languages or ()))
        found: list[tuple[Benchmark, str]] = []
        everywhere: dict[str, None] = {}
        for family, asked in self.asked.items():
            having = [code for code in self._having(BENCHMARKS[family]) if code in asked]
            everywhere |= dict.fromkeys(having)
            wanted = required or languages or having
            lacking = [code for code in required if code not in having]
            if family in self._names and (lacking or not any(code in having for code in wanted)):
                raise self._lacking(family, lacking or wanted, having)
            found += [(BENCHMARKS[family], code) for code in wanted if code in having]
        lacking = [code for code in required if code not in everywhere]
        if lacking or not found:
            raise self._lacking(", ".join(self.asked), lacking or languages or (), list(everywhere))
        return found

    def lacking(self, found: Sequence[TaskText], languages: Sequence[str] | None) -> tuple[str, ...]:
        """Of the sets that were asked for by name (`paper`), what has no rows: `family (languages)`."""
        if "paper" not in self._names:
            return ()
        there = {(text.family, text.language) for text in found}
        wanted = {
            family: [code for code in codes if (languages is None or code in languages) and (family, code) not in there]
            for family, codes in PAPER.items()
        }
        return tuple(f"{family} ({', '.join(codes)})" for family, codes in wanted.items() if codes)

    def _lacking(self, what: str, languages: Sequence[str], having: Sequence[str]) -> MbsError:
        where = "" if self.path is None else f" under {self.path}"
        return MbsError(
            f"{what}: no rows{' in ' if languages else ''}{', '.join(languages)}{where}",
            f"languages of {', '.join(having)}" if having else "one task in one language at least",
            f"{what.split(',')[0]}/{[*languages, 'CODE'][0]}.jsonl in evaluation.tasks.path, or other languages",
        )

    def _having(self, benchmark: Benchmark) -> list[str]:
        """The languages in which there are rows."""
        if self.path == GENERATED:
            return [code for code in generated_languages(benchmark) if code in benchmark.yamls]
        if self.path is not None:
            return [code for code in benchmark.yamls if self._file(benchmark, code)]
        return [code for code in benchmark.yamls if load_spec(benchmark, code).get("dataset_path")]

    def _file(self, benchmark: Benchmark, language: str) -> Path | None:
        if self.path == GENERATED:
            return sample_file(benchmark.family, language)
        spec = load_spec(benchmark, language)
        name = spec.get("dataset_name")
        return local_file(Path(str(self.path)), benchmark, [language, *([str(name)] if name else [])], _split(spec))

    def _read(self, benchmark: Benchmark, language: str) -> TaskText:
        if self.path == GENERATED:
            return TaskText(benchmark, language, GENERATED, tuple(generated_rows(language, self.limit)))
        file = self._file(benchmark, language) if self.path is not None else None
        if file is not None:
            return TaskText(benchmark, language, file.name, tuple(read_file(file, benchmark, self.limit)))
        spec = load_spec(benchmark, language)
        place = [spec["dataset_path"], *([spec["dataset_name"]] if spec.get("dataset_name") else []), _split(spec)]
        keywords = spec.get("dataset_kwargs") or {}
        rows = hub_rows(place[0], spec.get("dataset_name"), place[-1], keywords, benchmark, self.limit)
        return TaskText(benchmark, language, "/".join(place), tuple(rows))


def _split(spec: Mapping[str, Any]) -> str:
    """The split that lm-eval evaluates on."""
    return str(spec.get("test_split") or spec["validation_split"])


def _plain(value: object) -> object:
    """The same without addresses of functions: lm-eval's version stands for what they do."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return getattr(value, "__name__", type(value).__name__) if callable(value) else str(value)


def load_spec(benchmark: Benchmark, language: str) -> dict[str, Any]:
    """lm-eval's task, or ours in its form, as one dictionary; nothing else of lm-eval's tasks is read."""
    import lm_eval
    from lm_eval.tasks._yaml_loader import load_yaml

    folder = Path(lm_eval.__file__).parent / "tasks"
    name = benchmark.yamls[language]
    if not name.startswith("prompts/"):
        return dict(load_yaml(folder / name))
    own = load_yaml(PROMPTS / name, recursive=False)
    return {**load_yaml(folder / own.pop("include")), **own}
