"""New rows prepared as a table was, for a network that learnt from that table."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.columns import Column, as_categories, as_numbers, name_of
from etude.data.delimited import read_delimited
from etude.data.features import Spec, prepare_columns
from etude.data.table_look import counted, look_over_numbers

_LISTED = 5
_MARGIN = 0.25  # of the range learnt from; a number farther outside is pointed out


@dataclass(frozen=True)
class PreparedRows:
    """Rows as a network takes them.

    Args:
        features: float32 ``[n, num_features]``.
        targets: int64 ``[n]``, indices into the classes; or float32 ``[n]``; None unless they were needed.
        rows: int64 ``[n]``: which data rows of the file these are (from 0).
        findings: what was noticed.
    """

    features: np.ndarray
    targets: np.ndarray | None
    rows: np.ndarray
    findings: tuple[Text, ...]


@dataclass(frozen=True)
class _Source:
    """Where cells come from: by the name of a column, a function that gives them some at a time."""

    name: str
    count: int
    columns: dict[str, Callable[[], Iterable[list[str]]]]
    decimal_comma: bool
    findings: tuple[Text, ...]


def prepare_rows(
    rows: str | os.PathLike[str] | Sequence[Mapping[str, Any]],
    preparation: dict[str, Any],
    need_target: bool = False,
) -> PreparedRows:
    """Rows read and prepared as those of a table were.

    Columns are found by their names (by their places, in a table without a header), in any order; others are passed
    over. Where the target is needed, rows without it are left out, and said. So is what the table did not have:
    a category, a number far outside, a text in place of a number.

    Args:
        rows: a file of delimited text, or dictionaries from column names to values.
        preparation: of the `TableData` learnt from.
        need_target: the rows must have the target, to measure by.

    Raises:
        EtudeError: the file cannot be read, lacks a column, or has a class that the table did not have.
    """
    if isinstance(rows, (str, os.PathLike)):
        source = _from_file(Path(rows), preparation["has_header"])
    else:
        source = _from_mappings(rows)
    specs, target = preparation["columns"], preparation["target"]
    _refuse_absent(source, [*(spec["name"] for spec in specs), *[target["name"]] * need_target])
    columns = {spec["name"]: _read(source, spec["name"], spec["kind"] == "number") for spec in specs}
    findings = [*source.findings, *look_over_numbers(columns.values()), *_look_over(columns, specs)]
    features, kept, targets = prepare_columns(columns, specs, source.count), np.arange(source.count), None
    if need_target:
        targets, known = _targets(source, target)
        kept = np.flatnonzero(known)
        findings += _without_target(source, target["name"], len(kept))
        features, targets = features[kept], targets[kept]
    return PreparedRows(features, targets, kept, tuple(findings))


def _from_file(path: Path, has_header: bool) -> _Source:
    cells = read_delimited(path, has_header=has_header, least_columns=1)
    columns = {name: functools.partial(cells.column, place) for place, name in enumerate(cells.names)}
    return _Source(str(path), cells.count, columns, cells.decimal_comma, cells.findings)


def _from_mappings(rows: Sequence[Mapping[str, Any]]) -> _Source:
    def cells(name: str) -> list[list[str]]:
        return [[_cell(row.get(name)) for row in rows]]

    names = dict.fromkeys(name for row in rows for name in row)
    if not rows:
        raise EtudeError(
            en="There are no rows to prepare; give at least one.", zh="没有数据行；请至少给出一行。"
        )
    return _Source("rows", len(rows), {name: functools.partial(cells, name) for name in names}, False, ())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def _read(source: _Source, name: str, numbers: bool) -> Column:
    chunks = source.columns[name]
    if numbers:
        return as_numbers(name, chunks(), source.decimal_comma)
    return as_categories(name, chunks, math.inf)  # all are told apart, to be compared with those learnt from


def _refuse_absent(source: _Source, names: Iterable[str]) -> None:
    absent = [name for name in names if name not in source.columns]
    if not absent:
        return
    shown, shown_zh = ", ".join(absent[:_LISTED]), "、".join(absent[:_LISTED])
    there = list(source.columns)
    near = get_close_matches(absent[0], there, n=1)
    hint = (
        Text(en=f"; did you mean '{near[0]}'?", zh=f"；是否就是“{near[0]}”？")
        if near
        else Text(en=".", zh="。")
    )
    have, have_zh = ", ".join(there[:10]), "、".join(there[:10])
    raise EtudeError(
        en=f"{source.name} lacks {len(absent):,} of the columns that the network learnt from ({shown}); it has {have}{hint.en}",
        zh=f"{source.name} 缺少网络学习时用到的 {len(absent):,} 列（{shown_zh}）；它有：{have_zh}{hint.zh}",
    )


def _look_over(columns: dict[str, Column], specs: Sequence[Spec]) -> list[Text]:
    """What the rows have that the table did not: other categories, numbers far outside."""
    new, outside = {}, {}
    for spec in specs:
        column = columns[spec["name"]]
        if spec["kind"] == "category":
            cells = _unknown_cells(column, set(spec["categories"]))
            new |= {f"{spec['name']}={cells[0]}": cells[1]} if cells and not spec["other"] else {}
        else:
            beyond = _MARGIN * (spec["most"] - spec["least"])
            far = (column.values < spec["least"] - beyond) | (column.values > spec["most"] + beyond)
            outside |= {spec["name"]: int(far.sum())} if far.any() else {}
    findings = []
    if new:
        do = Text(en="they count as none of those known", zh="不算作任何已知类别")
        findings.append(
            counted(new, "cell has a category that was not learnt from", "cells have a category that was not learnt from",
                    "个单元格的类别在学习时没有出现过", do)
        )  # fmt: skip
    if outside:
        do = Text(en="trust those predictions less", zh="相应的预测不太可靠")
        findings.append(
            counted(outside, "value is far outside what was learnt from", "values are far outside what was learnt from",
                    "个值远超出学习时的范围", do)
        )  # fmt: skip
    return findings


def _unknown_cells(column: Column, known: set[str]) -> tuple[str, int] | None:
    """The first category that is not known, and how many cells have such a one."""
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
    strange = [
        (name, int(count)) for name, count in zip(column.categories, counts) if name not in known and count
    ]
    return (strange[0][0][:30], sum(count for _, count in strange)) if strange else None


def _targets(source: _Source, target: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The targets, and where they are known."""
    column = _read(source, target["name"], target["numeric"])
    known = ~column.missing()
    if target["kind"] == "regression":
        return column.values.astype(np.float32), known
    if target["numeric"]:
        distinct, codes = np.unique(column.values[known], return_inverse=True)
        values = np.full(len(known), -1, dtype=np.int64)
        values[known] = codes
        names = [name_of(number) for number in distinct]
    else:
        values, names = column.values.astype(np.int64), list(column.categories)
    number = {name: place for place, name in enumerate(target["classes"])}
    strange = [name for name in names if name not in number]
    if strange:
        classes, classes_zh = ", ".join(target["classes"][:20]), "、".join(target["classes"][:20])
        raise EtudeError(
            en=f"{source.name} has a class '{strange[0]}' of '{target['name']}' that was not learnt; the classes are {classes}.",
            zh=f"{source.name} 中“{target['name']}”的类别“{strange[0]}”不在学习过的类别之内；已有类别：{classes_zh}。",
        )
    return np.array([*(number[name] for name in names), -1], dtype=np.int64)[values], known


def _without_target(source: _Source, name: str, known: int) -> list[Text]:
    if not known:
        raise EtudeError(
            en=f"{source.name} has no row with a value of '{name}', so there is nothing to measure by.",
            zh=f"{source.name} 中没有任何一行有“{name}”的值，无法评估。",
        )
    lost = source.count - known
    if not lost:
        return []
    return [
        Text(
            en=f"{lost:,} {'row has' if lost == 1 else 'rows have'} no value of '{name}'; left out.",
            zh=f"有 {lost:,} 行没有“{name}”的值，已略去。",
        )
    ]
