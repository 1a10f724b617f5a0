"""Rows written by hand for any study: its own quick rows, with an effect put into the columns that its verdict compares."""

from __future__ import annotations

import math
import random

from etude.study import Row, Rows
from etude.study.verdict import Contrast

SEEDS = range(10)


def template(rows: Rows) -> Rows:
    """The rows of the first seed, repeated for ten seeds."""
    first = next((row["seed"] for row in rows if "seed" in row), None)
    mine = [row for row in rows if row.get("seed", first) == first]
    return Rows(Row(**{**row, "seed": seed}) for seed in SEEDS for row in mine)


def with_effect(rows: Rows, contrast: Contrast, effect: float) -> Rows:
    """``rows`` in which ``contrast`` measures ``effect``, with a little noise that differs from seed to seed."""
    written = []
    for row in rows:
        if not _concerns(row, contrast):
            written.append(row)
            continue
        noise = random.Random(f"{row['seed']}").gauss(0, 1)
        noise += random.Random(f"{row['seed']} {row.get(contrast.by)}").gauss(0, 0.1)
        written.append(Row(**{**row, contrast.value: _value(row, contrast, effect, noise)}))
    return Rows(written)


def inside(contrast: Contrast) -> float:
    """An effect well within the region that the claim asks for."""
    low, high = contrast.at_least, contrast.at_most
    if math.isfinite(low) and math.isfinite(high):
        return math.sqrt(low * high) if _is_ratio(contrast) else (low + high) / 2
    if _is_ratio(contrast):
        return low * 3 if math.isfinite(low) else high / 3
    return low + max(abs(low), 1.0) if math.isfinite(low) else high - max(abs(high), 1.0)


def outside(contrast: Contrast) -> float:
    """No effect at all, or for a claim that there is none (or a claim of a level), a large one."""
    none = 1.0 if contrast.kind == "ratio" else 0.0
    if contrast.kind == "level" or contrast.at_least < none < contrast.at_most:
        edge = contrast.at_least if math.isfinite(contrast.at_least) else contrast.at_most
        if _is_ratio(contrast):
            return edge / 5 if edge == contrast.at_least else edge * 5
        return edge - max(abs(edge), 1.0) if edge == contrast.at_least else edge + max(abs(edge), 1.0)
    return none


def permuted(rows: Rows, contrast: Contrast) -> Rows:
    """``rows`` with the labels of the conditions exchanged in every other seed."""
    if contrast.kind == "slope":
        x = sorted(row[contrast.by] for row in rows if _concerns(row, contrast) and row["seed"] == SEEDS[0])
        exchange = dict(zip(x, reversed(x)))
    else:
        exchange = dict(zip(contrast.groups, reversed(contrast.groups)))
    return Rows(
        Row(**{**row, contrast.by: exchange[row[contrast.by]]})
        if _concerns(row, contrast) and row["seed"] % 2
        else row
        for row in rows
    )


def without_group(rows: Rows, contrast: Contrast) -> Rows:
    """``rows`` without one of the conditions (without all that was measured, where there is just one)."""
    return Rows(
        row
        for row in rows
        if not (_concerns(row, contrast) and (not contrast.groups or row[contrast.by] == contrast.groups[0]))
    )


def with_nan(rows: Rows, contrast: Contrast) -> Rows:
    """``rows`` with one observation that is not a number."""
    place = next(i for i, row in enumerate(rows) if _concerns(row, contrast))
    return Rows(Row(**{**row, contrast.value: math.nan}) if i == place else row for i, row in enumerate(rows))


def _concerns(row: Row, contrast: Contrast) -> bool:
    if contrast.value not in row or any(row.get(name) != value for name, value in contrast.where.items()):
        return False
    return contrast.by is None or (
        contrast.by in row and (not contrast.groups or row[contrast.by] in contrast.groups)
    )


def _is_ratio(contrast: Contrast) -> bool:
    return contrast.log_y and contrast.kind in ("ratio", "level")


def _value(row: Row, contrast: Contrast, effect: float, noise: float) -> float:
    """The value that gives the effect: noise is small against the margin, and shared within a seed."""
    spread = 0.02 * _tolerance(contrast)
    if contrast.kind == "slope":
        x = math.log10(row[contrast.by]) if contrast.log_x else row[contrast.by]
        value = effect * x + spread * noise
        return 10**value if contrast.log_y else value
    if _is_ratio(contrast):
        base = effect if contrast.by is None or row[contrast.by] == contrast.groups[0] else 1.0
        return base * math.exp(spread * noise)
    base = effect if contrast.by is None or row[contrast.by] == contrast.groups[0] else 0.0
    return base + spread * noise


def _tolerance(contrast: Contrast) -> float:
    """How far the effect inside is from the nearest edge of the region."""
    edges = [edge for edge in (contrast.at_least, contrast.at_most) if math.isfinite(edge)]
    change = math.log if _is_ratio(contrast) else float
    return min(abs(change(inside(contrast)) - change(edge)) for edge in edges)
