"""Which language a text is in, by py3langid: a naive Bayes classifier over byte sequences that works without a network.

Source: Lui and Baldwin (2012), retrained on 139 languages by the package's authors. It chooses among all its languages.
"""

from __future__ import annotations

from mbs.errors import MbsError

CHINESE = "zh"  # one language: the identifier does not tell the scripts apart
WRITTEN_CHINESE = frozenset({"zh", "wuu", "yue"})  # written alike, and in part the same text
OTHER_CODES = {"ki": "kik"}
NO_LANGUAGE = "zxx"
BROKEN = "\N{REPLACEMENT CHARACTER}"


class Identifier:
    """The classifier, loaded once; raises MbsError when the package is not installed."""

    def __init__(self) -> None:
        try:
            from py3langid.langid import MODEL_FILE, RAW_FLOOR, LanguageIdentifier
        except ImportError as error:
            raise MbsError("no language identifier", "the package py3langid", "pip install py3langid") from error
        self._classifier = LanguageIdentifier.from_model_file(MODEL_FILE)
        self._nothing_known = float(RAW_FLOOR)

    def known(self, language: str) -> str | None:
        """The identifier's name of a language of ours, or None for one that it does not know."""
        name = CHINESE if language.partition("-")[0] == CHINESE else OTHER_CODES.get(language, language)
        return name if name in self._classifier.labels else None

    def language(self, text: str) -> str | None:
        """The identifier's name of the text's language, or None for no language: nothing, digits, punctuation."""
        name, score = self._classifier.classify(text.replace(BROKEN, " "))
        if name == NO_LANGUAGE or score <= self._nothing_known:
            return None
        return CHINESE if name in WRITTEN_CHINESE else str(name)
