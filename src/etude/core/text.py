"""A sentence in both of étude's languages, and the choice between them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Lang = Literal["en", "zh"]


@dataclass(frozen=True)
class Text:
    """The same words in English and in Chinese.

    Both are required, so that nothing a person reads can exist in one language only.
    """

    en: str
    zh: str

    def to(self, lang: Lang) -> str:
        """The words in ``lang``."""
        return self.zh if lang == "zh" else self.en

    def format(self, **values: object) -> Text:
        """Both languages with ``{name}`` filled in; a value that is itself a Text is put in its language."""
        return Text(en=self.en.format(**_in(values, "en")), zh=self.zh.format(**_in(values, "zh")))

    def __str__(self) -> str:
        return self.en


def same(words: str) -> Text:
    """Words that are the same in every language: a name, a number, a path."""
    return Text(en=words, zh=words)


def choose_language(asked: str | None = None) -> Lang:
    """``asked`` if given, else ``ETUDE_LANG``, else the locale of the environment, else English."""
    for candidate in (asked, os.environ.get("ETUDE_LANG")):
        if candidate:
            return "zh" if candidate.lower().startswith("zh") else "en"
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _in(values: dict[str, object], lang: Lang) -> dict[str, object]:
    return {name: value.to(lang) if isinstance(value, Text) else value for name, value in values.items()}
