"""The column to be learnt: which it is, whether it is a class or a number, which rows lack it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from etude.core.errors import EtudeError, unknown
from etude.core.text import Text
from etude.data.columns import Column, name_of
from etude.data.scan import natural_key

TableTask = Literal["classification", "regression"]

MOST_CLASSES = 1_000

_FEW_NUMBERS = 20  # whole numbers, no more different ones than this, are classes
_NAMES = ("target", "label", "class", "y", "目标", "标签", "类别")


@dataclass(frozen=True)
class Target:
    """What is to be learnt of each row.

    Args:
        name: of the column.
        kind: classification or regression.
        values: int64 ``[n]``, indices into ``classes``; or float32 ``[n]``. Meaningless where not ``known``.
        known: bool ``[n]``: whether the row says it.
        classes: their names, in natural order; empty for regression.
        numeric: whether the column holds numbers.
    """

    name: str
    kind: TableTask
    values: np.ndarray
    known: np.ndarray
    classes: tuple[str, ...]
    numeric: bool


def choose_target(names: Sequence[str], asked: str | None) -> tuple[str, Text | None]:
    """The name of the column to be learnt, and what to say where nobody asked for it.

    Raises:
        EtudeError: there is no column of that name.
    """
    if asked is not None:
        if asked in names:
            return asked, None
        same = [name for name in names if name.casefold() == asked.strip().casefold()]
        if len(same) == 1:
            return same[0], None
        raise unknown(Text(en="column", zh="列"), asked, list(names)[:30])
    named = [name for name in names if name.casefold() in _NAMES]
    if named:
        return named[-1], Text(
            en=f"The column to be learnt is '{named[-1]}', by its name; another is chosen with --target COLUMN.",
            zh=f"按列名选择“{named[-1]}”为目标列；用 --target 列名 可指定其他列。",
        )
    return names[-1], Text(
        en=f"The column to be learnt is the last one, '{names[-1]}'; another is chosen with --target COLUMN.",
        zh=f"目标列为最后一列“{names[-1]}”；用 --target 列名 可指定其他列。",
    )


def read_target(column: Column, asked: str | None) -> tuple[Target, Text | None]:
    """What is to be learnt from a column, and what to say where nobody asked for a task.

    Raises:
        EtudeError: it is empty, has one value only, too many classes, or does not suit the task asked for.
    """
    if asked not in (None, "classification", "regression"):
        raise unknown(Text(en="task", zh="任务"), str(asked), ("classification", "regression"))
    known = ~column.missing()
    if not known.any():
        raise EtudeError(
            en=f"The target column '{column.name}' has no value in any row; choose another with --target COLUMN.",
            zh=f"目标列“{column.name}”没有任何值；请用 --target 列名 选择其他列。",
        )
    numeric = column.kind == "number"
    if asked == "regression" and not numeric:
        raise EtudeError(
            en=f"The target column '{column.name}' holds text ('{column.categories[0][:40]}'); regression needs numbers. "
            "Choose another column, or the task classification.",
            zh=f"目标列“{column.name}”是文本（如“{column.categories[0][:40]}”）；回归需要数值。请选择其他列，或改为分类任务。",
        )
    distinct = np.unique(column.values[known])
    _refuse_too_alike(column, len(distinct))
    told = None
    kind: TableTask = "classification"
    if asked == "regression":
        kind = "regression"
    elif asked is None:
        few = len(distinct) <= _FEW_NUMBERS and bool((distinct == np.round(distinct)).all())
        kind = "classification" if not numeric or few else "regression"
        told = _say_task(column.name, kind, numeric, len(distinct))
    if kind == "regression":
        return Target(column.name, kind, column.values.astype(np.float32), known, (), True), told
    _refuse_too_many(column, len(distinct), int(known.sum()))
    if numeric:
        values = np.searchsorted(distinct, np.where(known, column.values, distinct[0]))
        return Target(column.name, kind, values, known, tuple(map(name_of, distinct)), True), told
    used = [column.categories[code] for code in distinct]
    classes = sorted(used, key=natural_key)
    ranks = np.zeros(len(column.categories) + 1, dtype=np.int64)  # the last one is where -1 points
    for code, name in zip(distinct, used):
        ranks[code] = classes.index(name)
    return Target(column.name, kind, ranks[column.values], known, tuple(classes), False), told


def _refuse_too_alike(column: Column, distinct: int) -> None:
    if distinct < 2:
        value = column.values[~column.missing()][0]
        shown = name_of(value) if column.kind == "number" else column.categories[int(value)][:40]
        raise EtudeError(
            en=f"The target column '{column.name}' has one value only ('{shown}'), so there is nothing to learn; "
            "choose another with --target COLUMN.",
            zh=f"目标列“{column.name}”只有一个值（“{shown}”），没有可学的内容；请用 --target 列名 选择其他列。",
        )


def _refuse_too_many(column: Column, distinct: int, rows: int) -> None:
    if column.kind == "text" or distinct > MOST_CLASSES or distinct * 2 > rows:
        many = len(column.categories) if column.kind == "text" else distinct
        is_numbers = column.kind == "number"
        hint = Text(en="ask for the task regression, or choose another", zh="请改用回归任务，或选择其他列")
        other = Text(en="choose another column with --target COLUMN", zh="请用 --target 列名 选择其他列")
        do = hint if is_numbers else other
        raise EtudeError(
            en=f"The target column '{column.name}' has {many:,} different values in {rows:,} rows, too many for classes "
            f"(at most {MOST_CLASSES:,}, and two rows of each); {do.en}.",
            zh=f"目标列“{column.name}”在 {rows:,} 行中有 {many:,} 个不同的值，无法作为类别"
            f"（最多 {MOST_CLASSES:,} 类，平均每类至少两行）；{do.zh}。",
        )


def _say_task(name: str, kind: TableTask, numeric: bool, distinct: int) -> Text:
    if kind == "regression":
        return Text(
            en=f"'{name}' holds numbers ({distinct:,} different ones): the task is regression.",
            zh=f"“{name}”是数值（{distinct:,} 个不同的值）：任务为回归。",
        )
    what = Text(en="whole numbers", zh="个不同的整数") if numeric else Text(en="texts", zh="种文本")
    return Text(
        en=f"'{name}' holds {distinct:,} different {what.en}: the task is classification.",
        zh=f"“{name}”有 {distinct:,} {what.zh}：任务为分类。",
    )
