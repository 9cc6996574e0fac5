"""The benchmarks: which languages lm-eval has them in, and what a row must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbs.data.languages import LANGUAGES, PAPER_LANGUAGES

TEXT, TEXT_OR_EMPTY, BLANK, TEXTS, CHOICES, NUMBER, NULL_OR_TEXT = (
    "text", "text or empty", "text with a blank", "texts", "choices", "number", "null or text",
)  # fmt: skip
Check = str | tuple[object, ...]  # a kind of content, or the allowed values in the order of the choices
Fields = dict[str, Check]


@dataclass(frozen=True)
class Benchmark:
    """One task in the languages that it exists in.

    `yamls` are lm-eval's task files by language, relative to its folder of tasks; those in `prompts` beside this file
    are ours, for languages of the paper that XNLI lacks. `fields` says what a row must hold; `label` is the field of
    the answer. `choices` is their usual number, 0 where the answer is generated. What counts is accuracy by the
    log-likelihoods as they are (lm-eval's `acc`, as in the paper; not `acc_norm`), and for generated answers the exact
    match.
    """

    family: str
    choices: int
    label: str
    fields: Mapping[str, Check]
    yamls: Mapping[str, str]

    def options(self, row: Mapping[str, Any]) -> Sequence[object]:
        """The values that the label may have, in the order of the choices; none where the answer is generated."""
        allowed = self.fields[self.label]
        if isinstance(allowed, tuple):
            return allowed
        return list(row["choices"]["label"]) if "choices" in self.fields else ()

    def gold(self, row: Mapping[str, Any]) -> int:
        """The number of the right choice by the row's own label; -1 where the answer is generated."""
        label, options = row[self.label], self.options(row)
        return list(options).index(label.strip() if isinstance(label, str) else label) if options else -1


def _coded(pattern: str, codes: str, **other: str) -> dict[str, str]:
    """lm-eval's file for each of our codes; `other` are the languages that it calls otherwise."""
    named = {code: code for code in codes.split()} | {"zh-Hans": "zh"} | other
    return {code: pattern.format(theirs) for code, theirs in named.items()}


_PAIR: Fields = {"sentence1": TEXT, "sentence2": TEXT, "label": (0, 1)}
_PAWS: Fields = {
    "sentence1": TEXT_OR_EMPTY,
    "sentence2": TEXT_OR_EMPTY,
    "label": (0, 1),
}  # lm-eval drops the empty ones
_COPA: Fields = {
    "premise": TEXT,
    "choice1": TEXT,
    "choice2": TEXT,
    "question": ("cause", "effect"),
    "label": (0, 1),
}
_WINOGRAD: Fields = {"sentence": BLANK, "option1": TEXT, "option2": TEXT, "answer": ("1", "2")}
_STORY: Fields = {f"input_sentence_{number}": TEXT for number in (1, 2, 3, 4)}
_QUIZ: Fields = {"sentence_quiz1": TEXT, "sentence_quiz2": TEXT, "answer_right_ending": (1, 2)}
_BELEBELE: Fields = {
    "flores_passage": TEXT,
    "question": TEXT,
    **{f"mc_answer{number}": TEXT for number in (1, 2, 3, 4)},
    "correct_answer_num": ("1", "2", "3", "4"),
}
_HELLASWAG: Fields = {
    "activity_label": TEXT,
    "ctx_a": TEXT_OR_EMPTY,
    "ctx_b": TEXT_OR_EMPTY,  # empty in half of the rows
    "endings": TEXTS,
    "label": ("0", "1", "2", "3"),
}
_ARC: Fields = {"question": TEXT, "choices": CHOICES, "answerKey": TEXT}

XNLI_OWN = ("pt", "id", "bn", "ta", "te", "ne", "mr", "zh-Hant", "yo", "ig")
_XNLI = (
    _coded("xnli/xnli_{}.yaml", "en fr es ar vi hi ur sw bg de el ru th tr")
    | {code: f"prompts/xnli_{code}.yaml" for code in XNLI_OWN}
    | {"gu": "indicxnli/indicxnli_gu.yaml"}
)
_XCOPA = _coded("xcopa/default_{}.yaml", "et ht id it qu sw ta th tr vi")
_PAWSX = _coded("paws-x/paws_{}.yaml", "de en es fr ja ko")
_XSTORYCLOZE = _coded("xstorycloze/default_{}.yaml", "ar en es eu hi id my ru sw te")
_XWINOGRAD = _coded("xwinograd/xwinograd_{}.yaml", "en fr pt ru", ja="jp")
_BELEBELE_YAMLS = {code: f"belebele/belebele_{LANGUAGES[code].flores}.yaml" for code in PAPER_LANGUAGES}
_MGSM = _coded("mgsm/direct/mgsm_direct_{}.yaml", "bn de en es fr ja ru sw te th")

_ALL = (
    Benchmark("xnli", 3, "label", {"premise": TEXT, "hypothesis": TEXT, "label": (0, 1, 2)}, _XNLI),
    Benchmark("xcopa", 2, "label", _COPA, _XCOPA),
    Benchmark("pawsx", 2, "label", _PAWS, _PAWSX),
    Benchmark("xstorycloze", 2, "answer_right_ending", {**_STORY, **_QUIZ}, _XSTORYCLOZE),
    Benchmark("xwinograd", 2, "answer", _WINOGRAD, _XWINOGRAD),
    Benchmark("belebele", 4, "correct_answer_num", _BELEBELE, _BELEBELE_YAMLS),
    Benchmark("mgsm", 0, "answer_number", {"question": TEXT, "answer": NULL_OR_TEXT, "answer_number": NUMBER}, _MGSM),
    Benchmark("boolq", 2, "label", {"passage": TEXT, "question": TEXT, "label": (0, 1)},
              {"en": "super_glue/boolq/default.yaml"}),
    Benchmark("rte", 2, "label", _PAIR, {"en": "glue/rte/default.yaml"}),
    Benchmark("hellaswag", 4, "label", _HELLASWAG, {"en": "hellaswag/hellaswag.yaml"}),
    Benchmark("winogrande", 2, "answer", _WINOGRAD, {"en": "winogrande/default.yaml"}),
    Benchmark("arc_easy", 4, "answerKey", _ARC, {"en": "arc/arc_easy.yaml"}),
    Benchmark("arc_challenge", 4, "answerKey", _ARC, {"en": "arc/arc_challenge.yaml"}),
    Benchmark("openbookqa", 4, "answerKey", {"question_stem": TEXT, "choices": CHOICES, "answerKey": TEXT},
              {"en": "openbookqa/openbookqa.yaml"}),
    Benchmark("copa", 2, "label", _COPA, {"en": "super_glue/copa/default.yaml"}),
)  # fmt: skip
BENCHMARKS: Mapping[str, Benchmark] = {benchmark.family: benchmark for benchmark in _ALL}

ENGLISH = ("boolq", "rte", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa", "copa")
# Zeng et al., 2024, evaluation script: 38 tasks.
PAPER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(ENGLISH, ("en",)),
    "xstorycloze": ("en", "zh-Hans", "es", "ar", "hi", "id", "te", "sw"),
    "pawsx": ("en", "zh-Hans", "fr", "es"),
    "xnli": ("en", "zh-Hans", "fr", "es", "ar", "vi", "hi", "ur", "sw"),
    "xwinograd": ("en", "zh-Hans", "fr", "pt"),
    "xcopa": ("zh-Hans", "vi", "id", "ta", "sw"),
}  # fmt: skip
