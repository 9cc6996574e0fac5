"""Tables of every group, option, key, default and comment, made from the comments in `conf/`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LINE = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):(?: [^#]*)?(?:# (?P<comment>.*))?$")
MORE = re.compile(r" +# (?P<comment>.*)$")
GROUP = re.compile(r"  - (?P<group>\w+): (?P<option>\w+)(?: +# (?P<comment>.*))?$")
HIDDEN = ("defaults", "hydra")
HEADER = ["| key | default | |", "| --- | --- | --- |"]
SWEPT = "the sweep goes over these"


@dataclass(frozen=True)
class Option:
    """One yaml file of a group."""

    group: str
    name: str
    text: str

    @property
    def content(self) -> dict[str, Any]:
        """What it holds."""
        return yaml.safe_load(self.text) or {}

    @property
    def comment(self) -> str:
        """The comment at its top, without Hydra's directive."""
        lines = [line.removeprefix("# ") for line in self.text.splitlines() if line.startswith("# ")]
        return " ".join(line for line in lines if not line.startswith("@"))

    @property
    def base(self) -> str | None:
        """The option of the same group whose keys it also has."""
        listed = [name for name in self.content.get("defaults", []) if isinstance(name, str) and name != "_self_"]
        return listed[0] if listed else None

    @property
    def rows(self) -> list[str]:
        """A row of a table per key, with the name under which it is typed."""
        prefix = "" if self.text.startswith("# @package _global_") else f"{self.group}."
        rows = rows_of(self.text, prefix)
        params = self.content.get("hydra", {}).get("sweeper", {}).get("params", {})
        return [*rows, *(row(name, values, SWEPT) for name, values in params.items())]


def tables(conf: Path) -> str:
    """The keys of every run, then a section per group: its options, and a table of keys for each that has any."""
    root = (conf / "config.yaml").read_text(encoding="utf-8")
    lines = ["## Keys of every run", "", *HEADER, *rows_of(root)]
    listed = {match["group"]: match for line in root.splitlines() if (match := GROUP.match(line))}
    folders = sorted(path.name for path in conf.iterdir() if path.is_dir())
    for group in sorted(folders, key=lambda name: list(listed).index(name) if name in listed else len(listed)):
        lines += ["", f"## `{group}`", ""]
        if group in listed:
            lines += [_default(listed[group]), ""]
        files = sorted((conf / group).glob("*.yaml"))
        lines += _options([Option(group, file.stem, file.read_text(encoding="utf-8")) for file in files])
    return "\n".join(lines) + "\n"


def rows_of(text: str, prefix: str = "") -> list[str]:
    """A row of a table per key of a yaml text, in its order, with the comment beside the key."""
    comments = _comments(text)
    return [row(f"{prefix}{name}", value, comments.get(name, "")) for name, value in _leaves(yaml.safe_load(text))]


def row(name: str, value: object, comment: str) -> str:
    """One row: the key, its value as YAML writes it, the comment."""
    written = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, sort_keys=False)
    shown = " ".join(written.removesuffix("...\n").split())
    return f"| `{name}` | `{shown}` | {_prose(comment)} |"


def _default(listed: re.Match[str]) -> str:
    group, option, comment = listed.group("group", "option", "comment")
    about = f": {_prose(comment)}" if comment else ""
    return f"None unless asked for{about}." if option == "null" else f"`{group}={option}` unless told otherwise{about}."


def _options(options: list[Option]) -> list[str]:
    """The options of a group, the keys of each, and together those of options that set keys of another one."""
    lines = ["| option | |", "| --- | --- |"]
    lines += [f"| `{option.group}={option.name}` | {_prose(option.comment)} |" for option in options]
    for option in options:
        if option.rows and not option.base:
            lines += ["", f"`{option.group}={option.name}`:", "", *HEADER, *option.rows]
    for base in sorted({option.base for option in options if option.base}):
        group = options[0].group
        lines += ["", f"These have the keys of `{group}={base}`, and set some of them:", ""]
        lines += [f"| option {HEADER[0]}", f"| --- {HEADER[1]}"]
        for option in options:
            if option.base == base:
                names = [f"`{group}={option.name}`", *[""] * (len(option.rows) - 1)]
                lines += [f"| {name} {held}" for name, held in zip(names, option.rows, strict=True)]
    return lines


def _comments(text: str) -> dict[str, str]:
    """The comment beside each key, by dotted name; a comment that goes on in lines of its own is one."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        more, match = MORE.match(line), LINE.match(line)
        if more and path:
            found[".".join(key for _, key in path)] += f" {more['comment']}"
        elif match:
            indent = len(match["indent"])
            path = [*(part for part in path if part[0] < indent), (indent, match["key"])]
            found[".".join(key for _, key in path)] = match["comment"] or ""
    return found


def _leaves(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names with their values; a table of numbers, such as shares by language, is one value."""
    for key, value in content.items():
        if prefix + key in HIDDEN or key == "_target_":
            continue
        table = isinstance(value, dict) and len(value) > 1 and all(isinstance(held, float) for held in value.values())
        if isinstance(value, dict) and not table:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _prose(comment: str) -> str:
    """A comment as text of a table: its signs are no markup."""
    return re.sub(r"([|*_\[\]])", r"\\\1", html.escape(comment, quote=False))
