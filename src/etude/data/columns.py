"""What the columns of a table hold: numbers, categories, dates, or text of no use; found out from their cells."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from etude.data.sniff import MISSING

Kind = Literal["number", "category", "date", "text"]

LARGEST = 1e38
"""Larger numbers do not fit float32; they count as infinite."""

_STRAYS = 0.05  # of a column of numbers, so many cells may be something else
_FEW_NUMBERS = 20  # a column of fewer different numbers and some words is a column of categories
_MOST_DISTINCT = 100_000  # texts of one column that are kept apart
_SINGULAR = 0.9  # text of which so large a share differs tells rows apart and nothing else
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?|\d{4}年\d{1,2}月(\d{1,2}日)?.*"
)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: what it is called.
        kind: number; category; date or text (neither is learnt from).
        values: of numbers float64 ``[n]``, NaN where missing; else int32 ``[n]``, which of ``categories``, -1 where
            missing.
        categories: the different texts, in order of appearance.
        strays: cells of a column of numbers that are none, the first few; they count as missing.
        stray_count, infinite: how many such cells, and how many infinite or too large ones; they count as missing.
    """

    name: str
    kind: Kind
    values: np.ndarray
    categories: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    stray_count: int = 0
    infinite: int = 0

    def missing(self) -> np.ndarray:
        """bool ``[n]``: where there is no value."""
        return np.isnan(self.values) if self.kind == "number" else self.values < 0

    def take(self, rows: np.ndarray) -> Column:
        """The same column of some rows."""
        return replace(self, values=self.values[rows])


def number_column(name: str, values: np.ndarray) -> Column:
    """A column of numbers that are numbers already; infinite ones count as missing."""
    numbers = np.array(values, dtype=np.float64)
    infinite = np.abs(numbers) >= LARGEST
    numbers[infinite] = np.nan
    return Column(name, "number", numbers, infinite=int(infinite.sum()))


def infer_column(name: str, chunks: Callable[[], Iterable[list[str]]], decimal_comma: bool = False) -> Column:
    """What a column of cells holds.

    Numbers if all cells are (or 95 % of them, with more than 20 different values; the rest is then missing). Text is
    categories, unless it is dates, or nine in ten values differ.

    Args:
        name: of the column.
        chunks: gives its cells, some at a time; called again where they are no numbers.
        decimal_comma: whether ``1,5`` is one and a half.
    """
    return _numbers(name, chunks(), decimal_comma) or _kind_of_text(as_categories(name, chunks))


def is_number(cell: str, decimal_comma: bool = False) -> bool:
    """Whether a cell is a number (infinity is one; a mark for a missing value is none)."""
    return not math.isnan(parse_number(cell, decimal_comma))


def parse_number(cell: str, decimal_comma: bool = False) -> float:
    """The number that a cell holds; NaN where it holds none. Thousands may be set apart by commas."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        pass
    if "," in cell:
        cell = cell.strip()
        plain = None
        if decimal_comma and cell.count(",") == 1:
            plain = cell.replace(".", "").replace(",", ".")
        elif not decimal_comma and _THOUSANDS.fullmatch(cell):
            plain = cell.replace(",", "")
        try:
            return math.nan if plain is None else float(plain)
        except ValueError:
            pass
    return math.nan


def name_of(number: float) -> str:
    """A number as the name of a class: ``3`` for 3.0."""
    return str(int(number)) if number == int(number) and abs(number) < 2**53 else repr(float(number))


def as_numbers(name: str, chunks: Iterable[list[str]], decimal_comma: bool = False) -> Column:
    """A column read as numbers, whatever is in it; cells that are none are its strays."""
    column = _numbers(name, chunks, decimal_comma, most_strays=1.0)
    assert column is not None
    return column


def _numbers(
    name: str, chunks: Iterable[list[str]], decimal_comma: bool, most_strays: float = _STRAYS
) -> Column | None:
    """A column of numbers; None where too large a share of its cells are something else."""
    parts: list[np.ndarray] = []
    strays: list[str] = []
    stray_count = 0
    for cells in chunks:
        try:
            if "_" in "".join(cells):  # Python would read 1_000 as a number
                raise ValueError
            parts.append(np.fromiter(map(float, cells), np.float64, len(cells)))
        except ValueError:
            numbers = [parse_number(cell, decimal_comma) if cell else math.nan for cell in cells]
            lost = [
                cell
                for cell, number in zip(cells, numbers)
                if number != number and cell.strip().lower() not in MISSING
            ]
            if most_strays < 1 and len(lost) * 2 > len(cells):
                return None
            strays += lost[: 5 - len(strays)]
            stray_count += len(lost)
            parts.append(np.array(numbers))
    values = np.concatenate(parts) if parts else np.zeros(0)
    present = values[~np.isnan(values)]
    if stray_count > most_strays * (len(present) + stray_count):
        return None
    if most_strays < 1 and stray_count and len(np.unique(present)) <= _FEW_NUMBERS:
        return None
    return replace(number_column(name, values), strays=tuple(strays), stray_count=stray_count)


def as_categories(name: str, chunks: Callable[[], Iterable[list[str]]], most: float = _MOST_DISTINCT) -> Column:
    """A column read as categories, whatever is in it; where more than ``most`` differ, they are no longer told apart."""
    found: dict[str, int] = {}
    parts = []
    for cells in chunks():
        if len(found) > most:
            count = sum(map(len, chunks()))
            return Column(name, "text", np.zeros(count, dtype=np.int32), tuple(found))
        parts.append(np.fromiter((found.setdefault(cell, len(found)) for cell in cells), np.int32, len(cells)))
    codes: dict[str, int] = {}
    tidy = np.array(
        [
            -1 if text.lower() in MISSING else codes.setdefault(text, len(codes))
            for text in (" ".join(cell.split()) for cell in found)
        ],
        dtype=np.int32,
    )
    return Column(name, "category", tidy[np.concatenate(parts)] if parts else tidy, tuple(codes))


def _kind_of_text(column: Column) -> Column:
    count, present = len(column.categories), int((column.values >= 0).sum())
    if column.kind == "text" or not count:
        return column
    sample = column.categories[:: max(count // 200, 1)]
    if sum(bool(_DATE.fullmatch(text)) for text in sample) > 0.9 * len(sample):
        return replace(column, kind="date")
    if count > _SINGULAR * present and present > 3:
        return replace(column, kind="text")
    return column
