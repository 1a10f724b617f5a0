"""Names and shares, short enough for a figure."""

from __future__ import annotations

import unicodedata


def shortened(name: str, most: int = 14) -> str:
    """``name`` in at most ``most`` columns (a Chinese character takes two), safe as a label in matplotlib.

    The middle is left out: class names often differ only in their ends.
    """
    name = " ".join(name.split())
    if _columns(name) > most:
        tail = _fitting(name[::-1], most // 2 - 1)[::-1]
        name = f"{_fitting(name, most - 1 - _columns(tail)).rstrip()}…{tail.lstrip()}"
    return name.replace("$", r"\$")


def share(probability: float) -> str:
    """A probability in percent, as exact as it is telling: 62%, 3.4%, >99.9%. Never 100% for what is less."""
    percent = 100 * probability
    if percent in (0, 100):
        return f"{percent:.0f}%"
    if percent < 0.1:
        return "<0.1%"
    if percent > 99.9:
        return ">99.9%"
    return f"{percent:.0f}%" if 9.95 <= percent < 98.5 else f"{percent:.1f}%"


def number(value: float) -> str:
    """A number in three or four figures, without an exponent where it can be read without."""
    if value and (abs(value) >= 1e7 or abs(value) < 1e-3):
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:#.3g}"
    return text.rstrip(".") if "e" not in text else f"{value:,.0f}"


def _columns(name: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name)


def _fitting(name: str, most: int) -> str:
    while _columns(name) > most:
        name = name[:-1]
    return name
