"""Knobs: the settings of a study that a reader may turn."""

from __future__ import annotations

from typing import Any

from etude.core.settings import Settings, setting
from etude.core.text import Text


class BaseKnobs(Settings):
    """Base of every study's ``Knobs``: frozen, and a name it does not know is refused."""


def knob(default: Any, *, about: Text, unit: str | Text = "", **bounds: Any) -> Any:
    """One knob: its default, what it means, its unit and its bounds (``ge``, ``gt``, ``le``, ``lt``)."""
    return setting(default, about=about, unit=unit, **bounds)
