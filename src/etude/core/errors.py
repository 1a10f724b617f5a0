"""Errors that are for people: one sentence that says what was given, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from etude.core.text import Text


class EtudeError(Exception):
    """Something a person can mend. The command line prints it as one sentence and exits with 2.

    Args:
        en: the sentence in English.
        zh: the same in Chinese.
    """

    exit_code = 2

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en=en, zh=zh)

    def __reduce__(self):  # keeps both languages when a worker process raises it
        return (type(self), (self.text.en, self.text.zh))


class NonFiniteLoss(EtudeError):
    """The loss became infinite or not a number; the update it would have caused was not made."""


def unknown(what: Text, given: str, known: Iterable[str]) -> EtudeError:
    """The error for a name that is not in a list, with the nearest ones as a suggestion."""
    names = sorted(known)
    near = get_close_matches(given.lower(), names, n=3, cutoff=0.5)
    listed = ", ".join(near or names)
    if near:
        return EtudeError(
            en=f"There is no {what.en} named '{given}'; did you mean {listed}?",
            zh=f"没有名为“{given}”的{what.zh}；您是否想用：{listed}？",
        )
    return EtudeError(
        en=f"There is no {what.en} named '{given}'; choose one of: {listed}.",
        zh=f"没有名为“{given}”的{what.zh}；可选：{listed}。",
    )
