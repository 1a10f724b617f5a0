"""Medians and spreads as they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def per_image(way: dict[str, list[float]], images: int) -> list[float]:
    """Seconds for one image seen, of each repeat: the long run less the short one, by the ``images`` that it saw more."""
    return [(long - short) / images for short, long in zip(way["short"], way["long"])]


def ratios(way: Sequence[float], etude: Sequence[float]) -> list[float]:
    """How many times as long as étude, in each repeat: those of one repeat ran one after the other."""
    return [other / own for other, own in zip(way, etude)]


def spread(values: Sequence[float], digits: int = 3) -> str:
    """``median (least to greatest)``, in so many significant digits."""
    middle = significant(median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({significant(min(values), digits)} to {significant(max(values), digits)})"


def significant(value: float, digits: int = 3) -> str:
    """``value`` rounded to so many significant digits, never in powers of ten."""
    if value == 0 or value != value or abs(value) == float("inf"):
        return str(value)
    rounded = float(f"{value:.{digits}g}")
    decimals = max(0, digits - len(f"{abs(rounded):.10f}".split(".")[0].lstrip("0")))
    leading = f"{abs(rounded):.10f}".split(".")[1]
    if abs(rounded) < 1:
        decimals = digits + len(leading) - len(leading.lstrip("0"))
    return f"{rounded:,.{decimals}f}"


def percent(values: Sequence[float]) -> str:
    """Accuracies: their mean, and the least and the greatest."""
    mean = 100 * sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.2f}"
    return f"{mean:.2f} ({100 * min(values):.2f} to {100 * max(values):.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    full = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    lines = [head, ["---"] * len(head), *full]
    return ["| " + " | ".join(line) + " |" for line in lines]


def left_out_lines(left_out: dict[str, str]) -> list[str]:
    """A paragraph for each way that could not be measured: its title, and why."""
    return [line for title, why in left_out.items() for line in ("", f"Left out: {title}, {why}.")]
