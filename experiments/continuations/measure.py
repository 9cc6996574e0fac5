"""`python measure.py MODEL TEXT`: what a model writes before and after pruning, and how sure the identifier is."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import mbs
from mbs import CompressOptions, FolderCorpus, Magnitude, Unstructured
from mbs.data.corpora.base import Corpus
from mbs.data.languages import LANGUAGES
from mbs.engine.checkpoint import stored_dtype
from mbs.engine.switches import one_thread
from mbs.evaluation.continuations import Writing, judge, prompts, references, write
from mbs.evaluation.fertility import WITHOUT_SPACES
from mbs.evaluation.language_id import Identifier

PROMPTS, LENGTH, NEW_TOKENS = 40, 32, 64
WORDS, SNIPPETS = (5, 10, 15, 30), 300


def snippets(corpus: Corpus, language: str, words: int, spaced: bool) -> list[str]:
    """Successive pieces of so many words, or of twice as many characters where words have no spaces between them."""
    made = []
    for document in corpus.documents(language):
        parts: Sequence[str] = document.text.split() if spaced else "".join(document.text.split())
        size, gap = (words, " ") if spaced else (2 * words, "")
        made += [gap.join(parts[at : at + size]) for at in range(0, len(parts) - size + 1, size)]
    return made[:SNIPPETS]


def accuracy(corpus: Corpus, language: str, identifier: Identifier) -> list[float]:
    """The share of snippets that are placed in their language, per length in words."""
    spaced, name = LANGUAGES[language].script not in WITHOUT_SPACES, identifier.known(language)
    found = []
    for words in WORDS:
        named = [identifier.language(text) for text in snippets(corpus, language, words, spaced)]
        found.append(named.count(name) / len(named))
    return found


def main(model_path: str, text_path: str) -> None:
    """Print both tables."""
    corpus, identifier = FolderCorpus(text_path), Identifier()
    print("| language |", " | ".join(f"{words} words" for words in WORDS), "|")
    for language in corpus.languages:
        print(f"| {language} |", " | ".join(f"{100 * a:.1f}" for a in accuracy(corpus, language, identifier)), "|")
    model = mbs.open(model_path)
    tokenizer, options = model.tokenizer, CompressOptions(stored=stored_dtype(model.hf))
    starts = {
        code: prompts(corpus.documents(code), tokenizer, PROMPTS, LENGTH, NEW_TOKENS) for code in corpus.languages
    }
    found: list[dict[str, Writing]] = [
        {code: judge(code, references(drawn, tokenizer), identifier) for code, drawn in starts.items()}
    ]
    with one_thread():
        for ratio in (0, 0.5, 0.7):
            if ratio:
                mbs.compress(model, None, Magnitude(), Unstructured(ratio), options)
            found.append(
                {code: judge(code, write(model, drawn, NEW_TOKENS), identifier) for code, drawn in starts.items()}
            )
    for code in corpus.languages:
        cells = [f"{100 * (w[code].wrong_language or 0):.0f} | {100 * (w[code].repetition or 0):.0f}" for w in found]
        print(f"| {code} |", " | ".join(cells), "|")
    for name in ("wrong_language", "undetermined", "repetition"):
        print(name, [round(100 * sum(getattr(one, name) or 0 for one in w.values()) / len(w), 1) for w in found])


if __name__ == "__main__":
    main(*sys.argv[1:])
