"""Languages and their training shares: what is known, what may be added, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mbs.data.languages import LANGUAGES, PAPER_LANGUAGES, checked, extended
from mbs.data.mixes import Custom
from mbs.data.shares import declare_shares
from mbs.errors import MbsError


def test_the_table_has_every_benchmark_language() -> None:
    xnli = {row.xnli for row in LANGUAGES.values() if row.xnli}
    assert xnli == {"ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh"}
    assert len(PAPER_LANGUAGES) == 20
    assert all(LANGUAGES[code].roots_bytes and LANGUAGES[code].xlsum for code in PAPER_LANGUAGES)
    assert {"et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi"} <= set(LANGUAGES)
    assert sum(LANGUAGES[code].roots_bytes or 0 for code in PAPER_LANGUAGES) == 1_410_749_887_102


def test_unknown_languages_get_a_suggestion() -> None:
    with pytest.raises(MbsError, match=r"languages: unknown language 'zh-hans'.*try 'zh-Hans'"):
        checked(["zh-hans"], "languages")
    with pytest.raises(MbsError, match="twice"):
        checked(["en", "en"], "languages")


def test_a_user_can_add_a_language() -> None:
    table = extended({"eo": {"name": "Esperanto", "script": "Latn", "family": "constructed"}})
    assert checked(["eo", "en"], "languages", table) == ("eo", "en")
    with pytest.raises(MbsError, match="no script, family"):
        extended({"eo": {"name": "Esperanto"}})
    with pytest.raises(MbsError, match="colour"):
        extended({"eo": {"name": "E", "script": "Latn", "family": "c", "colour": "green"}})


@pytest.mark.parametrize("wrong", [{False: 1.0}, {True: 0.2, "en": 0.8}])
def test_yaml_booleans_are_explained(wrong: Any) -> None:
    for make in (lambda: Custom(wrong), lambda: declare_shares(wrong), lambda: extended(wrong)):
        with pytest.raises(MbsError, match=r'YAML reads the bare words no, off, on and yes.*write "no"'):
            make()


def test_shares_from_everything_that_declares_them(tmp_path: Path) -> None:
    file = tmp_path / "shares.json"
    file.write_text(json.dumps({"share": {"sw": 1, "en": 3}, "unit": "tokens", "source": "a card"}))
    read = declare_shares(str(file))
    assert read is not None
    assert (read.unit, read.source, read.languages, read.share("en")) == ("tokens", "a card", ("en", "sw"), 0.75)
    mapped = declare_shares({"en": 1, "other": 3})
    assert mapped is not None
    assert (mapped.share("en"), mapped.languages, mapped.share("fr")) == (0.25, ("en",), None)
    bloom = declare_shares("roots")
    assert bloom is not None
    assert bloom.languages[:3] == ("en", "zh-Hans", "fr")
    assert declare_shares(None) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [("nowhere.json", "names no file"), (7, "`roots`, a JSON file"), ({}, "declares no language"),
     ({"en": -1}, "number of zero or more"), ({"en": "much"}, "number of zero or more"), ({"en": 0}, "only zeros"),
     ({"share": {"xx": 1}}, "unknown language 'xx'"), ({"en": True}, "number of zero or more")],
)  # fmt: skip
def test_wrong_shares_are_refused(value: Any, words: str) -> None:
    with pytest.raises(MbsError, match=words):
        declare_shares(value)


@pytest.mark.parametrize(("content", "words"), [("{", "is not JSON"), ("[1]", "holds a list")])
def test_unreadable_share_files_are_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "shares.json"
    file.write_text(content)
    with pytest.raises(MbsError, match=words):
        declare_shares(str(file))
