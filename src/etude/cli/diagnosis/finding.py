"""What was found: a line for a person, with what to do; and the facts behind it, for a machine."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from etude.core.text import Lang, Text

State = Literal["fine", "improvable", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Args:
        name: by which a machine knows it; the same in every language.
        label: what is looked at, in a word or two.
        value: what was found.
        state: fine; could be better; or broken: something étude needs does not work.
        advice: what to do about it, in a sentence.
        command: the exact command of this system that does it.
    """

    name: str
    label: Text
    value: Text
    state: State = "fine"
    advice: Text | None = None
    command: str | None = None

    def to_json(self, lang: Lang) -> dict[str, Any]:
        """Plain values; the words in ``lang``."""
        return {
            "name": self.name,
            "state": self.state,
            "label": self.label.to(lang),
            "value": self.value.to(lang),
            "advice": self.advice.to(lang) if self.advice else None,
            "command": self.command,
        }


@dataclass
class Section:
    """Findings about one thing, and the facts behind them (plain values, as JSON has them)."""

    name: str
    title: Text
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(
        self, name: str, label: Text, value: Text, state: State = "fine", advice: Text | None = None,
        command: str | None = None,
    ) -> None:  # fmt: skip
        """Add a `Finding`."""
        self.findings.append(Finding(name, label, value, state, advice, command))


def survive(section: Section, examine: Callable[[], None]) -> Section:
    """``examine``, which adds to the section; a check that fails itself is a finding, and the rest goes on."""
    try:
        examine()
    except Exception as error:  # whatever is broken on this machine may break the looking too
        said = f"{type(error).__name__}: {error}"
        value = Text(en=f"this could not be looked at to the end ({said})", zh=f"此项检查未能完成（{said}）")
        advice = Text(en="Mend what is marked ✗ first, then run etude doctor again.",
                      zh="请先解决标有 ✗ 的问题，再重新运行 etude doctor。")  # fmt: skip
        section.add(f"{section.name}.check", Text(en="check", zh="检查"), value, "improvable", advice)
    return section


def private(content: Any) -> Any:
    """The same without the home folder (``~``) and the user's name in paths (``USER``): fit to show to a stranger."""
    if isinstance(content, dict):
        return {key: private(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [private(value) for value in content]
    if not isinstance(content, str):
        return content
    for home in sorted(_homes(), key=len, reverse=True):
        content = re.sub(re.escape(home) + r"(?![\w.-])", "~", content)
    for user in _users():
        content = re.sub(rf"(?<=[/\\]){re.escape(user)}(?=[/\\]|$)", "USER", content)
    return content


def _homes() -> set[str]:
    found = {os.path.expanduser("~"), os.path.realpath(os.path.expanduser("~"))}
    return {home.rstrip("/\\") for home in found if len(home.rstrip("/\\")) > 1 and home != "~"}


def _users() -> set[str]:
    try:
        return {getpass.getuser(), Path(os.path.expanduser("~")).name} - {"", "root"}
    except (OSError, KeyError, ImportError):  # a container may run under a number that has no name
        return set()
