"""The rows of a benchmark in one language, read and checked: lm-eval would score wrong labels without a word."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbs.demo import sample
from mbs.errors import MbsError
from mbs.evaluation.tasks.benchmarks import (
    BLANK,
    CHOICES,
    NULL_OR_TEXT,
    NUMBER,
    TEXT,
    TEXT_OR_EMPTY,
    TEXTS,
    Benchmark,
    Check,
)

Row = Mapping[str, Any]
GENERATED = "embedded:demo"
DROPS_EMPTY = ("pawsx",)  # by lm-eval
MENDING = "mending that row, or leaving it out"


def local_file(folder: Path, benchmark: Benchmark, codes: Sequence[str], split: str) -> Path | None:
    """`<family>/<code>.<split>.jsonl`, else the only `<code>.jsonl` or one of another split; None without any.

    `codes` are the language's own code and the benchmark's (`zh-Hans`, `zh`).
    """
    for code in codes:
        every = sorted((folder / benchmark.family).glob(f"{code}.*"))
        files = [file for file in every if file.suffix == ".jsonl" and file.name.split(".")[0] == code]
        preferred = folder / benchmark.family / f"{code}.{split}.jsonl"
        if preferred in files:
            return preferred
        if len(files) > 1:
            raise MbsError(
                f"evaluation.tasks.path: {', '.join(map(str, files))}",
                f"one file per language, or {preferred.name} among them",
            )
        if files:
            return files[0]
    return None


def read_file(file: Path, benchmark: Benchmark, limit: int | None) -> list[Row]:
    """The first `limit` rows of a jsonl file, checked; raises one clear line naming file, line and field."""
    rows: list[Row] = []
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MbsError(f"{file} cannot be read ({error})", "UTF-8 text") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if limit is not None and len(rows) == limit:
            break
        try:
            row = json.loads(line)
        except ValueError as error:
            raise MbsError(f"{file}:{number} is not JSON ({error})", "one object per line") from None
        if not isinstance(row, dict):
            raise MbsError(f"{file}:{number} is {type(row).__name__}", "one object per line")
        rows.append(row)
        check_row(row, benchmark, f"{file}:{number}")
    if not rows:
        raise MbsError(f"{file} holds no rows ({file.stat().st_size} bytes)", f"rows of {benchmark.family}")
    _refuse_nothing(rows, benchmark, str(file))
    return rows


def _refuse_nothing(rows: Sequence[Row], benchmark: Benchmark, where: str) -> None:
    """Refuse rows of which lm-eval would drop every one, because a text in it is empty."""
    fields = [field for field, check in benchmark.fields.items() if check == TEXT_OR_EMPTY]
    if benchmark.family in DROPS_EMPTY and all(any(not row[field] for field in fields) for row in rows):
        raise MbsError(f"{where}: {' or '.join(fields)} is empty in every row", "a row with text in all of them")


def check_row(row: Row, benchmark: Benchmark, where: str) -> None:
    """Raises one clear line when a field is missing, or is not what the benchmark's own data holds there."""
    for field, check in benchmark.fields.items():
        if field not in row:
            raise MbsError(f"{where} has no field `{field}`", f"the fields {', '.join(benchmark.fields)}", MENDING)
        problem = _problem(row[field], check)
        if problem:
            raise MbsError(f"{where}: {field}={row[field]!r}"[:200], problem, MENDING)
    if "choices" in benchmark.fields and row[benchmark.label].strip() not in row["choices"]["label"]:
        labels = ", ".join(row["choices"]["label"])
        raise MbsError(f"{where}: {benchmark.label}={row[benchmark.label]!r}", f"one of {labels}")


def _problem(value: object, check: Check) -> str | None:
    """What was expected instead, or None where the value is right."""
    if isinstance(check, tuple):
        right = any(type(value) is type(allowed) and value == allowed for allowed in check)
        return None if right else f"one of {', '.join(map(repr, check))}"
    expected = {
        TEXT: (_is_text(value), "text that is not empty"),
        TEXT_OR_EMPTY: (isinstance(value, str), "text"),
        NULL_OR_TEXT: (value is None or isinstance(value, str), "text or null"),
        BLANK: (isinstance(value, str) and value.count("_") == 1, "text with one _ where an option goes"),
        TEXTS: (_are_texts(value) and len(value) == 4, "a list of four texts"),  # type: ignore[arg-type]
        NUMBER: (isinstance(value, int) and not isinstance(value, bool), "a whole number"),
        CHOICES: (
            isinstance(value, dict) and _are_texts(value.get("text")) and _are_texts(value.get("label"))
            and len(value["text"]) == len(value["label"]),
            '{"text": [...], "label": [...]} of one length',
        ),
    }  # fmt: skip
    right, wanted = expected[check]
    return None if right else wanted


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(part) for part in value)


def hub_rows(
    path: str, name: str | None, split: str, keywords: Mapping[str, Any], benchmark: Benchmark, limit: int | None
) -> list[Row]:
    """The first `limit` rows of a data set of the hub, checked; `keywords` are lm-eval's own for it."""
    from datasets import load_dataset

    where = f"{path} ({name}, {split})" if name else f"{path} ({split})"
    talk = logging.getLogger("huggingface_hub")  # every retry is a line of its own
    level = talk.level
    talk.setLevel(logging.CRITICAL)
    try:
        loaded = load_dataset(path, name, split=split, **keywords)
        chosen = loaded if limit is None else loaded.select(range(min(limit, len(loaded))))
        rows: Sequence[Row] = [dict(row) for row in chosen]
    except Exception as error:  # the hub, the network and the cache raise errors of many kinds
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise MbsError(
            f"the hub does not give {where} ({type(error).__name__}: {reason})",
            "the hub within reach, or rows in local files",
            f"evaluation.tasks.path=FOLDER with {benchmark.family}/<code>.{split}.jsonl",
        ) from error
    finally:
        talk.setLevel(level)
    if not rows:
        raise MbsError(f"{where} holds no rows", f"rows of {benchmark.family}")
    for number, row in enumerate(rows):
        check_row(row, benchmark, f"{where} row {number}")
    _refuse_nothing(rows, benchmark, where)
    return list(rows)


def generated_languages(benchmark: Benchmark) -> tuple[str, ...]:
    """The languages in which the embedded text has items of a benchmark's form."""
    return sample.LANGUAGES if benchmark.family == sample.ROWS else ()


def generated_rows(language: str, limit: int | None) -> list[Row]:
    """The first `limit` inference items of the generated world, of the split that training never saw."""
    if limit is not None and limit > sample.ITEMS:
        raise MbsError(
            f"evaluation.tasks.limit={limit} of the generated world's rows",
            f"{sample.ITEMS} or fewer, which is all that is there",
            f"evaluation.tasks.limit={sample.ITEMS}",
        )
    return list(sample.rows(language)[:limit])


def row_ids(rows: Sequence[Row]) -> Iterator[str]:
    """The rows' own ids where all of them have one and they differ, else their numbers."""
    for field in ("id", "idx", "pairID", "ind"):
        own = [str(row[field]) for row in rows if row.get(field) is not None]
        if len(own) == len(rows) == len(set(own)):
            return iter(own)
    return (str(number) for number in range(len(rows)))
