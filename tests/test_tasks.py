"""Tasks: the same numbers as plain lm-eval, every benchmark's rows and prompts, wrong rows named."""

from __future__ import annotations

import json
import random
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from conftest import invented, random_model, shared

from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.engine.tokenizer import Tokenizer
from mbs.errors import MbsError
from mbs.evaluation.tasks.benchmarks import BENCHMARKS, PAPER
from mbs.evaluation.tasks.harness import Answers, harness_task, quiet, score_tasks
from mbs.evaluation.tasks.rows import read_file
from mbs.evaluation.tasks.suite import Tasks, TaskText, load_spec
from mbs.metrics.answers import calibration_error, compare_answers

CHOICES = {"text": ["one", "two", "three"], "label": ["A", "B", "C"]}
# One right row of every benchmark in its own fields, as on the hub.
ROWS: dict[str, dict[str, Any]] = {
    "xnli": {"premise": "The cat sat.", "hypothesis": "A cat was there.", "label": 0},
    "xcopa": {"premise": "It rained.", "choice1": "We got wet.", "choice2": "We dried.", "question": "effect",
              "label": 0, "idx": 3, "changed": False},
    "pawsx": {"id": 1, "sentence1": "He ( the king ) came .", "sentence2": "The king came .", "label": 1},
    "xstorycloze": {**{f"input_sentence_{n}": f"Part {n}." for n in (1, 2, 3, 4)}, "sentence_quiz1": "Good end.",
                    "sentence_quiz2": "Bad end.", "answer_right_ending": 2},
    "xwinograd": {"sentence": "Ann saw Bea because _ looked.", "option1": "Ann", "option2": "Bea", "answer": "1"},
    "belebele": {"flores_passage": "A passage.", "question": "What?", "mc_answer1": "a", "mc_answer2": "b",
                 "mc_answer3": "c", "mc_answer4": "d", "correct_answer_num": "3"},
    "mgsm": {"question": "What is 2 + 2?", "answer": None, "answer_number": 4},
    "boolq": {"passage": "Water is wet.", "question": "is water wet", "label": 1},
    "rte": {"sentence1": "It is hot.", "sentence2": "It is warm.", "label": 0},
    "hellaswag": {"activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "", "endings": ["a", "b", "c", "d"],
                  "label": "2"},
    "winogrande": {"sentence": "Ann saw Bea because _ looked.", "option1": "Ann", "option2": "Bea", "answer": "2"},
    "arc_easy": {"question": "Which?", "choices": CHOICES, "answerKey": "B"},
    "arc_challenge": {"question": "Which?", "choices": CHOICES, "answerKey": "C"},
    "openbookqa": {"question_stem": "The sun is", "choices": CHOICES, "answerKey": "A"},
    "copa": {"premise": "It rained.", "choice1": "We got wet.", "choice2": "We dried.", "question": "cause",
             "label": 1},
}  # fmt: skip
GOLD = {"xnli": 0, "xcopa": 0, "pawsx": 1, "xstorycloze": 1, "xwinograd": 0, "belebele": 2, "mgsm": -1, "boolq": 1,
        "rte": 0, "hellaswag": 2, "winogrande": 1, "arc_easy": 1, "arc_challenge": 2, "openbookqa": 0,
        "copa": 1}  # fmt: skip


def write(folder: Path, name: str, rows: Sequence[object]) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def varied(family: str, number: int, language: str = "en") -> dict[str, Any]:
    """A row like the one above in invented words, its label in turn."""
    benchmark, row = BENCHMARKS[family], dict(ROWS[family])
    for position, (field, check) in enumerate(benchmark.fields.items()):
        words = invented(language, 2 + (number + position) % 7, seed=100 * number + position)
        if isinstance(check, tuple):
            row[field] = check[number % len(check)]
        elif "_" in str(row[field]):
            row[field] = f"{words} _ {words}."
        elif isinstance(row[field], str) and field not in ("answerKey", "ctx_b"):
            row[field] = f"{words}."
    if family == "xcopa":
        row["question"] = ("cause", "effect")[number // 2 % 2]
    if "choices" in row:
        size = 3 + number % 3
        labels = list("ABCDE")[:size]
        texts = [invented(language, 1 + k, seed=number + 7 * k) for k in range(size)]
        row |= {"choices": {"text": texts, "label": labels}, "answerKey": labels[number % size]}
    return row


def text_of(family: str, language: str = "en", rows: Sequence[dict[str, Any]] | None = None) -> TaskText:
    return TaskText(BENCHMARKS[family], language, "made", tuple(rows or [ROWS[family]]))


def answered(model: Any, tokenizer: Tokenizer, texts: Sequence[TaskText], batch_tokens: int = 4096) -> list[Answers]:
    skeleton = Skeleton(model)
    return score_tasks(skeleton, MemoryBlocks(skeleton), tokenizer, texts, batch_tokens)


def plainly(model: Any, tokenizer: Tokenizer, texts: Sequence[TaskText]) -> list[dict[str, Any]]:
    """The same by lm-eval's own front door and its own model; one call per task."""
    import lm_eval
    from datasets import Dataset
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    found = []
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=2)
        for text in texts:
            rows = [{field: row[field] for field in text.benchmark.fields} for row in text.rows]
            data = {"validation": Dataset.from_list(rows)}
            spec = {**load_spec(text.benchmark, text.language), "task": text.family, "training_split": None,
                    "validation_split": "validation", "test_split": None, "fewshot_split": None,
                    "custom_dataset": lambda data=data, **_: data}  # fmt: skip
            spec.pop("tag", None)
            result = lm_eval.simple_evaluate(
                model=lm, tasks=[spec], task_manager=TaskManager(include_defaults=False), num_fewshot=0,
                bootstrap_iters=0,
            )  # fmt: skip
            samples = sorted(result["samples"][text.family], key=lambda sample: int(sample["doc_id"]))
            found.append({"results": result["results"][text.family], "samples": samples})
    return found


def several(families: Sequence[str], count: int = 7) -> list[TaskText]:
    languages = [next(code for code in ("en", "sw") if code in BENCHMARKS[family].yamls) for family in families]
    rows = [[varied(family, number) for number in range(count)] for family in families]
    return [text_of(*described) for described in zip(families, languages, rows, strict=True)]


@pytest.fixture(autouse=True, scope="module")
def quiet_imports() -> None:
    """What lm-eval's imports warn of is no matter of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lm_eval.evaluator
        import lm_eval.models.huggingface  # noqa: F401


# Against plain lm-eval


@pytest.mark.parametrize(("architecture", "with_start"), [("bloom", False), ("llama", True)])
def test_every_choice_scores_as_in_plain_lm_eval(
    architecture: str, with_start: bool, tokenizer: Tokenizer, bos_tokenizer: Tokenizer
) -> None:
    model, used = random_model(architecture), bos_tokenizer if with_start else tokenizer
    texts = several([family for family, benchmark in BENCHMARKS.items() if benchmark.choices])
    for text, mine, theirs in zip(texts, answered(model, used, texts, 200), plainly(model, used, texts), strict=True):
        assert mine.accuracy == theirs["results"]["acc,none"], text.family
        for number, sample in enumerate(theirs["samples"]):
            values = [response[0] for response in sample["filtered_resps"]]
            known = mine.loglik[number][: len(values)]
            assert np.abs(known - values).max() < 1e-4, text.family
            assert np.isnan(mine.loglik[number][len(values) :]).all()
            assert mine.correct[number] == (sample["acc"] == 1.0)


def test_generated_answers_score_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    model, texts = random_model("bloom"), several(["mgsm"], 2)
    (mine,), (theirs,) = answered(model, tokenizer, texts), plainly(model, tokenizer, texts)
    assert mine.accuracy == theirs["results"]["exact_match,flexible-extract"]
    assert mine.loglik.shape == (2, 0)
    assert list(mine.gold) == [-1, -1]


def test_what_is_greedy_is_found(tokenizer: Tokenizer) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from mbs.evaluation.tasks.scorer import WalkLM

    model = random_model("bloom")
    skeleton = Skeleton(model)
    context = [int(token) for token in tokenizer.encode(["ba ke"])[0]]
    with torch.no_grad():
        likeliest = int(model(torch.tensor([context])).logits[0, -1].argmax())
    with quiet():
        ours = WalkLM(skeleton, MemoryBlocks(skeleton), tokenizer, 64)
        plain = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=1)
        requests = [(("a", "b"), context, [token]) for token in (likeliest, (likeliest + 1) % 400)]
        mine = ours._loglikelihood_tokens(requests)
        theirs = plain._loglikelihood_tokens(requests, disable_tqdm=True)
        asked = [Instance("loglikelihood", {}, ("", "ba ke ti"), 0), Instance("loglikelihood", {}, ("ba ", "ke"), 0)]
        pairs = zip(ours.loglikelihood(asked), plain.loglikelihood(asked, disable_tqdm=True), strict=True)
    assert [greedy for _, greedy in mine] == [greedy for _, greedy in theirs]
    assert [greedy for _, greedy in mine][:2] == [True, False]
    both = [*pairs, *zip(mine, theirs, strict=True)]
    assert [a[0] for a, _ in both] == pytest.approx([b[0] for _, b in both], abs=1e-4)


def test_the_same_tokens_divided_elsewhere_are_other_questions(tokenizer: Tokenizer) -> None:
    """lm-eval 0.4.13 mixes these up in its one pass for answers of a single token; asked one by one it does not."""
    from lm_eval.models.huggingface import HFLM

    from mbs.evaluation.tasks.scorer import WalkLM

    model = random_model("bloom")
    skeleton = Skeleton(model)
    tokens = [int(token) for token in tokenizer.encode(["ba ke ti mo"])[0]]
    requests = [(("a", "b"), tokens[:cut], tokens[cut:]) for cut in range(1, len(tokens))]
    with quiet():
        mine = WalkLM(skeleton, MemoryBlocks(skeleton), tokenizer, 64)._loglikelihood_tokens(requests)
        plain = HFLM(pretrained=model, tokenizer=tokenizer.hf, batch_size=1)
        theirs = [plain._loglikelihood_tokens([request], disable_tqdm=True)[0] for request in requests]
    assert np.abs(np.array(mine)[:, 0] - np.array(theirs)[:, 0]).max() < 1e-4


def test_what_is_too_long_loses_its_beginning_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    model = random_model("gpt2")  # 128 positions
    rows = [varied("boolq", number) | {"passage": invented("fr", 90, number)} for number in range(3)]
    texts = [text_of("boolq", "en", rows)]
    assert all(len(ids) > 128 for ids in tokenizer.encode([row["passage"] for row in rows]))
    (mine,), (theirs,) = answered(model, tokenizer, texts), plainly(model, tokenizer, texts)
    known = [[response[0] for response in sample["filtered_resps"]] for sample in theirs["samples"]]
    assert np.abs(mine.loglik - known).max() < 1e-4


def test_the_batch_size_does_not_matter(tokenizer: Tokenizer) -> None:
    model, texts = random_model("bloom"), several(["xnli", "xcopa"])
    for a, b in zip(answered(model, tokenizer, texts, 16), answered(model, tokenizer, texts, 4096), strict=True):
        assert np.abs(a.loglik - b.loglik).max() < 1e-4


def test_two_models_do_not_share_answers(tokenizer: Tokenizer) -> None:
    texts = several(["xnli"])
    first, second, again = (answered(random_model("bloom", seed), tokenizer, texts)[0].loglik for seed in (0, 1, 0))
    assert np.abs(first - second).max() > 0.1
    assert (first == again).all()


@pytest.mark.guard("mbs/evaluation/tasks/harness.py", "random.setstate(state)", "pass")
@pytest.mark.guard("mbs/evaluation/tasks/harness.py", "with torch.random.fork_rng(devices):", "if True:")
def test_scoring_leaves_no_trace(
    tokenizer: Tokenizer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    from lm_eval import evaluator

    original = evaluator.evaluate

    def seeding(*arguments: Any, **named: Any) -> Any:  # as other versions of it do
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        return original(*arguments, **named)

    monkeypatch.setattr(evaluator, "evaluate", seeding)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    skeleton = Skeleton(random_model("bloom"))
    pad, level = tokenizer.hf.pad_token, logging.getLogger("lm_eval").level
    tokenizer.hf.pad_token = None
    texts = several(["xnli", "pawsx", "hellaswag"])
    capfd.readouterr()
    try:
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
        score_tasks(skeleton, MemoryBlocks(skeleton), tokenizer, texts)
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])
        assert tokenizer.hf.pad_token is None
    finally:
        tokenizer.hf.pad_token = pad
    assert logging.getLogger("lm_eval").level == level
    assert capfd.readouterr() == ("", "")


def test_a_model_that_gives_no_numbers_is_named_with_the_row(tokenizer: Tokenizer) -> None:
    skeleton = Skeleton(random_model("bloom"))
    with torch.no_grad():
        cast(torch.nn.Embedding, skeleton.model.get_input_embeddings()).weight.fill_(float("nan"))
    with pytest.raises(MbsError, match=r"xnli en: .* row 0 is not finite; .*; try model.dtype=float32"):
        score_tasks(skeleton, MemoryBlocks(skeleton), tokenizer, several(["xnli"]))


# Benchmarks, rows and prompts


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
                           cwd=Path(__file__).parent.parent)  # fmt: skip
    assert ended.stdout.strip() == repr(here)
    assert len(set(here)) == 2


@pytest.mark.parametrize("family", BENCHMARKS)
def test_right_rows_are_read_and_a_missing_field_is_named(family: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[family]
    file = write(tmp_path, "right.jsonl", [ROWS[family], varied(family, 1)])
    assert read_file(file, benchmark, None) == [ROWS[family], varied(family, 1)]
    assert read_file(file, benchmark, 1) == [ROWS[family]]
    for field in benchmark.fields:
        wrong = {key: value for key, value in ROWS[family].items() if key != field}
        with pytest.raises(MbsError, match=rf"wrong.jsonl:2 has no field `{field}`; expected the fields "):
            read_file(write(tmp_path, "wrong.jsonl", [ROWS[family], wrong]), benchmark, None)


WRONG: list[tuple[str, object, str]] = [
    ("xnli", {"label": -1}, "label=-1; expected one of 0, 1, 2"),
    ("xnli", {"label": "1"}, "label='1'; expected one of 0, 1, 2"),
    ("xnli", {"label": 7}, "label=7; expected one of 0, 1, 2"),
    ("xnli", {"label": True}, "label=True; expected one of 0, 1, 2"),
    ("xnli", {"label": 1.0}, "label=1.0; expected one of 0, 1, 2"),
    ("xnli", {"premise": "  "}, "premise=' '; expected text that is not empty"),
    ("xnli", {"hypothesis": None}, "hypothesis=None; expected text that is not empty"),
    ("xwinograd", {"answer": 1}, "answer=1; expected one of '1', '2'"),
    (
        "xwinograd",
        {"sentence": "no gap"},
        "sentence='no gap'; expected text with one _ where an option goes; try mending",
    ),
    ("xwinograd", {"sentence": "a _ b _ c"}, "expected text with one _ where an option goes"),
    ("belebele", {"correct_answer_num": 3}, "correct_answer_num=3; expected one of '1', '2', '3', '4'"),
    ("hellaswag", {"label": 2}, "label=2; expected one of '0', '1', '2', '3'"),
    ("hellaswag", {"endings": ["a", "b"]}, "endings=['a', 'b']; expected a list of four texts"),
    ("hellaswag", {"ctx_b": None}, "ctx_b=None; expected text"),
    ("arc_easy", {"answerKey": "E"}, "answerKey='E'; expected one of A, B, C"),
    ("arc_easy", {"choices": {"text": ["a"], "label": []}}, '{"text": [...], "label": [...]} of one length'),
    ("mgsm", {"answer_number": "4"}, "answer_number='4'; expected a whole number"),
    ("xcopa", {"question": "why"}, "question='why'; expected one of 'cause', 'effect'"),
    ("xnli", "{not json", "is not JSON"),
    ("xnli", "[1]", "is list; expected one object per line"),
]


@pytest.mark.parametrize(("family", "change", "line"), WRONG)
def test_a_wrong_row_is_one_line(family: str, change: object, line: str, tmp_path: Path) -> None:
    wrong = {**ROWS[family], **change} if isinstance(change, dict) else change
    language = next(iter(BENCHMARKS[family].yamls))
    file = write(tmp_path, f"{family}/{language}.validation.jsonl", [ROWS[family], wrong])
    with pytest.raises(MbsError) as caught:
        Tasks(family, str(tmp_path)).read()
    assert f"{file}:2" in str(caught.value)
    assert line in str(caught.value)
    assert "\n" not in caught.value.line


def test_rows_that_lm_eval_would_all_drop_are_refused(tmp_path: Path) -> None:
    benchmark, empty = BENCHMARKS["pawsx"], {**ROWS["pawsx"], "sentence1": ""}
    with pytest.raises(MbsError, match="sentence1 or sentence2 is empty in every row"):
        read_file(write(tmp_path, "en.jsonl", [empty, empty]), benchmark, None)
    assert len(read_file(write(tmp_path, "en.jsonl", [empty, ROWS["pawsx"]]), benchmark, None)) == 2


def test_empty_files_and_other_encodings_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, "xnli/en.validation.jsonl", [])
    with pytest.raises(MbsError, match=r"en.validation.jsonl holds no rows \(0 bytes\); expected rows of xnli"):
        Tasks("xnli", str(tmp_path)).read()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MbsError, match=r"cannot be read .* expected UTF-8 text"):
        Tasks("xnli", str(tmp_path)).read()


def test_which_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, "xnli/en.test.jsonl", [ROWS["xnli"]])
    write(tmp_path, "xnli/zh.validation.jsonl", [ROWS["xnli"]] * 2)
    write(tmp_path, "xnli/yo.jsonl", [ROWS["xnli"]] * 3)
    found = {text.language: text for text in Tasks("xnli", str(tmp_path)).read()}
    assert {language: len(text.rows) for language, text in found.items()} == {"en": 1, "zh-Hans": 2, "yo": 3}
    assert found["en"].source == "en.test.jsonl"
    write(tmp_path, "xnli/en.validation.jsonl", [ROWS["xnli"]] * 4)
    (text,) = Tasks("xnli", str(tmp_path), limit=3).read(("en",))
    assert text.source == "en.validation.jsonl"
    assert len(text.rows) == 3
    write(tmp_path, "xcopa/sw.a.jsonl", [ROWS["xcopa"]])
    write(tmp_path, "xcopa/sw.b.jsonl", [ROWS["xcopa"]])
    with pytest.raises(MbsError, match=r"sw.a.jsonl, .*sw.b.jsonl; expected one file per language, or sw.test.jsonl"):
        Tasks("xcopa", str(tmp_path)).read()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, "xnli/fr.jsonl", [ROWS["xnli"]])
    write(tmp_path, "xcopa/sw.jsonl", [ROWS["xcopa"]])
    folder = str(tmp_path)
    found = Tasks(["xcopa", "xnli"], folder).read(("fr", "sw", "de"))
    assert [(text.family, text.language) for text in found] == [("xcopa", "sw"), ("xnli", "fr")]
    assert [text.language for text in Tasks("all", folder, languages=["sw", "sw"]).read()] == ["sw"]
    for tasks, line in [
        (
            Tasks("xnli", folder, languages=["fr", "sw"]),
            "xnli: no rows in sw under .*; expected languages of fr; try xnli/sw",
        ),
        (Tasks("xnli", folder, languages="ha"), "xnli: no rows in ha under .*; expected languages of fr; "),
        (
            Tasks("paper", folder, languages=["fr", "hi"]),
            "no rows in hi under .*; expected languages of sw, fr|fr, sw; try ",
        ),
        (
            Tasks("pawsx", folder),
            "pawsx: no rows in fr, sw under .*; expected one task in one language at least; try pawsx/fr.jsonl",
        ),
    ]:
        with pytest.raises(MbsError, match=line):
            tasks.read(("fr", "sw"))
    with pytest.raises(MbsError, match=r"no rows under .*; expected one task in one language"):
        Tasks("paper", str(tmp_path / "xnli")).read()


def test_settings_are_checked_when_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(MbsError, match=r"unknown evaluation.tasks.names 'xnly'; expected one of .*; try 'xnli'"):
        Tasks("xnly")
    with pytest.raises(MbsError, match=r"evaluation.tasks.names is empty; expected one or more of xnli, "):
        Tasks([])
    for limit in (0, -1, 1.5, True, "3"):
        with pytest.raises(MbsError, match=rf"evaluation.tasks.limit={limit}; expected a whole number"):
            Tasks("xnli", limit=limit)  # type: ignore[arg-type]
    with pytest.raises(MbsError, match=r"evaluation.tasks.path names no folder"):
        Tasks("xnli", str(tmp_path / "none"))


def test_the_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)  # or it asks again and again, through closed sockets
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MbsError) as caught:
        Tasks("xnli", limit=2).read(("fr",))
    assert "the hub does not give facebook/xnli (fr, validation)" in str(caught.value)
    assert "try evaluation.tasks.path=FOLDER with xnli/<code>.validation.jsonl" in str(caught.value)


def test_generated_items_are_rows() -> None:
    texts = Tasks("xnli", "embedded:demo", limit=6).read()
    assert {"en", "sw", "zh-Hans", "bn"} <= {text.language for text in texts}
    assert all([row["label"] for row in text.rows] == [0, 1, 2, 0, 1, 2] for text in texts)
    with pytest.raises(MbsError, match="xcopa: no rows under embedded:demo"):
        Tasks("xcopa", "embedded:demo").read()


def test_ids_chance_and_hashes() -> None:
    rows = [{**ROWS["xnli"], "idx": "b"}, {**ROWS["xnli"], "idx": "a"}]
    assert text_of("xnli", rows=rows).ids == ("b", "a")
    assert text_of("xnli", rows=[rows[0], rows[0]]).ids == ("0", "1")
    assert text_of("xnli", rows=rows).content_hash != text_of("xnli", rows=rows[:1]).content_hash
    assert text_of("xnli").chance == pytest.approx(1 / 3)
    assert text_of("arc_easy", rows=[varied("arc_easy", n) for n in (0, 1)]).chance == (1 / 3 + 1 / 4) / 2
    assert text_of("mgsm").chance == 0


def test_rows_may_hold_other_fields_of_any_type(tokenizer: Tokenizer) -> None:
    rows = [{**ROWS["xnli"], "id": 1}, {**ROWS["xnli"], "id": "two", "note": [None]}]
    (answers,) = answered(random_model("bloom"), tokenizer, [text_of("xnli", rows=rows)])
    assert len(answers.correct) == 2


def test_rows_that_lm_eval_drops_are_known(tokenizer: Tokenizer) -> None:
    rows = [varied("pawsx", 0), {**varied("pawsx", 1), "sentence2": ""}, varied("pawsx", 2)]
    (answers,) = answered(random_model("bloom"), tokenizer, [text_of("pawsx", rows=rows)])
    assert list(answers.rows) == [0, 2]


def test_real_rows_are_read() -> None:
    folder = shared("data")
    if folder is None:
        pytest.skip("MBS_SHARED is not set")
    counts = {family: {text.language: len(text.rows) for text in Tasks(family, str(folder)).read()}
              for family in ("xnli", "xcopa", "pawsx", "xwinograd")}  # fmt: skip
    assert set(counts["xnli"].values()) == {2490}
    assert len(counts["xnli"]) == 13
    assert set(counts["xcopa"].values()) == {100}
    assert len(counts["xcopa"]) == 11
    assert len(counts["pawsx"]) == 7
    assert set(counts["xwinograd"]) == {"en", "fr", "pt"}


def test_real_rows_of_every_task_score_as_in_plain_lm_eval(tokenizer: Tokenizer) -> None:
    folder = shared("data")
    if folder is None:
        pytest.skip("MBS_SHARED is not set")
    texts = Tasks(["xcopa", "pawsx", "xwinograd"], str(folder), limit=4).read(("en", "fr", "sw", "zh-Hans", "pt"))
    model = random_model("bloom")
    for mine, theirs in zip(answered(model, tokenizer, texts), plainly(model, tokenizer, texts), strict=True):
        assert mine.accuracy == theirs["results"]["acc,none"]


# What compression did to the answers


def test_a_comparison_by_hand() -> None:
    gold = np.array([0, 1, 0, 1])
    dense = np.log([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]])
    compressed = np.log([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [0.2, 0.8]])
    right_d, right_c = dense.argmax(1) == gold, compressed.argmax(1) == gold
    found = compare_answers(right_d, right_c, gold, dense, compressed, 0.5)
    assert (found.n, found.accuracy_dense, found.accuracy_compressed) == (4, 0.75, 0.75)
    assert found.error_dense == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.difference_error == pytest.approx(np.sqrt(2 / 3 / 4))  # per item 0, -1, 1, 0
    assert (found.flips, found.lost_answers, found.gained_answers) == (0.5, 0.25, 0.25)
    assert found.retention is None
    assert found.retention_reason == "dense accuracy 0.750 is not 2 standard errors above chance 0.500"
    assert found.margin is not None
    assert found.margin.dense == pytest.approx(np.log([4, 1.5, 3 / 7, 9]).mean())
    assert found.margin.change == pytest.approx(np.log([1.5, 3 / 7, 9, 4]).mean() - found.margin.dense)
    kl = (np.exp(dense) * (dense - compressed)).sum(1).mean()
    assert found.divergence == pytest.approx(kl)
    assert found.brier is not None
    assert found.brier.dense == pytest.approx(2 * np.mean([0.2**2, 0.4**2, 0.7**2, 0.1**2]))
    assert found.calibration_error is not None  # one bin: |3/4 - mean(0.8, 0.6, 0.7, 0.9)|
    assert found.calibration_error.dense == pytest.approx(0.0)


def test_retention_above_chance() -> None:
    gold, right = np.zeros(100, dtype=int), np.arange(100) < 80
    less = np.arange(100) < 60
    nothing = np.zeros((100, 0))
    found = compare_answers(right, less, gold, nothing, nothing, 0.5)
    assert found.retention == pytest.approx(1 / 3)
    assert found.retention_reason is None
    assert (found.margin, found.flips, found.divergence, found.calibration_error, found.brier) == (None,) * 5
    assert found.p == pytest.approx(2 * 0.5**20)
    one = compare_answers(
        np.ones(1, bool), np.zeros(1, bool), np.zeros(1, int), np.zeros((1, 0)), np.zeros((1, 0)), 0.25
    )
    assert one.retention is None  # a single right answer shows nothing, though its own standard error is zero


def test_rows_with_fewer_choices_count_for_what_they_have() -> None:
    gold = np.array([0, 2])
    dense = np.array([[np.log(0.5), np.log(0.5), np.nan], np.log([0.2, 0.3, 0.5])])
    found = compare_answers(np.array([True, True]), np.array([True, True]), gold, dense, dense, 0.4)
    assert (found.divergence, found.flips) == (0.0, 0.0)
    assert found.margin is not None
    assert found.margin.dense == pytest.approx(np.log([1, 5 / 3]).mean())
    assert found.brier is not None
    assert found.brier.dense == pytest.approx((0.5 + (0.04 + 0.09 + 0.25)) / 2)


def test_calibration_error_by_hand() -> None:
    confidence = np.concatenate([np.full(10, 0.5), np.full(10, 0.9)])
    correct = np.concatenate([np.arange(10) < 7, np.arange(10) < 6])
    assert calibration_error(confidence, correct) == pytest.approx((0.2 + 0.3) / 2)
    assert calibration_error(confidence[5:15], correct[5:15]) == pytest.approx(abs(correct[5:15].mean() - 0.7))
