"""Every benchmark in every language asks about exactly its row."""

from __future__ import annotations

import unicodedata

import pytest
from benchmark_rows import GOLD, ROWS, text_of
from conftest import ROOT

from mbs.evaluation.tasks.benchmarks import BENCHMARKS, PAPER
from mbs.evaluation.tasks.harness import harness_task, quiet
from mbs.evaluation.tasks.suite import Tasks

pytestmark = pytest.mark.usefixtures("quiet_imports")


def test_the_paper_has_38_tasks() -> None:
    asked = Tasks("paper").asked
    assert sum(len(languages) for languages in asked.values()) == 38
    assert len({language for languages in asked.values() for language in languages}) == 13
    assert all(language in BENCHMARKS[family].yamls for family, codes in PAPER.items() for language in codes)


def every() -> list[tuple[str, str]]:
    return [(family, language) for family, benchmark in BENCHMARKS.items() for language in benchmark.yamls]


def test_every_task_in_every_language_builds_its_prompt() -> None:
    """127 task files: lm-eval's and ours; each asks about exactly our row."""
    with quiet():
        for family, language in every():
            task = harness_task(text_of(family, language))
            task.build_all_requests(limit=None, rank=0, world_size=1)
            asked = [instance.args for instance in task.instances]
            benchmark, row = BENCHMARKS[family], ROWS[family]
            assert benchmark.gold(row) == GOLD[family]
            assert len(asked) == (len(benchmark.options(row)) or 1), (family, language)
            assert len(set(map(repr, asked))) == len(asked)
            if benchmark.choices:
                assert "acc" in task.aggregation()
                texts = [str(value) for value in row.values() if isinstance(value, str) and len(value) > 5]
                said = " ".join(f"{context}{answer}" for context, answer in asked)
                assert any(text.strip(" .")[-5:] in said for text in texts), (family, language)


def test_languages_without_a_task_have_a_prompt_of_the_same_form() -> None:
    with quiet():
        for language in ("pt", "id", "bn", "ta", "te", "ne", "mr", "gu", "zh-Hant", "yo", "ig"):
            text = text_of("xnli", language)
            choices = harness_task(text).doc_to_choice(ROWS["xnli"])
            words = [choice.split(", ") for choice in choices]
            assert [(parts[0], parts[2]) for parts in words] == [
                (ROWS["xnli"]["premise"], ROWS["xnli"]["hypothesis"])
            ] * 3
            questions, answers = zip(*(parts[1].split("? ") for parts in words), strict=True)
            assert len(set(questions)) == 1, choices
            assert len(set(answers)) == 3, choices
            assert unicodedata.is_normalized("NFC", "".join(choices))
            assert text.spec["output_type"] == "multiple_choice"


def test_the_generated_worlds_words_are_the_prompts() -> None:
    from world.lexicon import load

    word = load("bn")
    with quiet():
        choices = harness_task(text_of("xnli", "bn")).doc_to_choice(ROWS["xnli"])
    labels = [word[f"i.{label}"] for label in ("entailment", "neutral", "contradiction")]
    assert [choice.split(", ")[1] for choice in choices] == [f"{word['i.right']} {label}" for label in labels]


def test_a_prompts_digest_is_the_same_in_every_process() -> None:
    import subprocess
    import sys

    code = (
        "from mbs.evaluation.tasks.suite import TaskText; from mbs.evaluation.tasks.benchmarks import BENCHMARKS;"
        "print([TaskText(BENCHMARKS[f], l, '', ()).spec_digest for f, l in (('xnli', 'yo'), ('xcopa', 'sw'))])"
    )
    here = [text_of(family, language).spec_digest for family, language in (("xnli", "yo"), ("xcopa", "sw"))]
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=ROOT)  # fmt: skip
    assert ended.stdout.strip() == repr(here)
    assert len(set(here)) == 2
