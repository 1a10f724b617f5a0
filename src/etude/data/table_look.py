"""A table looked over before training: which columns are no use or a cheat, and what else is worth knowing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from etude.core.text import Text
from etude.data.columns import Column
from etude.data.features import MOST_CATEGORIES, Spec
from etude.data.look import FEW, IMBALANCE
from etude.data.target import Target

_LISTED = 5
_ROW_NUMBERS = ("id", "index", "no", "nr", "row", "unnamed: 0", "编号", "序号", "行号")

REASONS = {
    "empty": Text(en="every value is missing", zh="所有值都缺失"),
    "constant": Text(en="one value only", zh="只有一个值"),
    "date": Text(en="dates", zh="日期"),
    "text": Text(en="nearly every text differs: names, numbers of things or free text", zh="文本几乎各不相同：名称、编号或自由文本"),
    "numbering": Text(en="it numbers the rows", zh="只是行的编号"),
    "target": Text(en="it is the target again, so nothing would be left to learn", zh="与目标列一一对应，等于直接给出答案"),
}  # fmt: skip
"""Why a column is not learnt from."""


@dataclass(frozen=True)
class Choice:
    """Which columns are learnt from.

    Args:
        used: the columns, in their order.
        left_out: for each other one its name and a key of `REASONS`.
        findings: what a person should know of that.
    """

    used: tuple[Column, ...]
    left_out: dict[str, str]
    findings: tuple[Text, ...]


def choose_features(columns: Sequence[Column], target: Target) -> Choice:
    """Leave out the columns that teach nothing: empty, constant, dates, numberings, and copies of the target.

    A column that determines the target one to one is a leak and left out, unless it is the only one there is.

    Args:
        columns: all but the target.
        target: of the same rows, all of them known.
    """
    left_out = {each.name: why for each in columns if (why := _useless(each))}
    rest = [each for each in columns if each.name not in left_out]
    leaks = [each.name for each in rest if _determines(each, target)]
    findings = []
    if leaks and len(leaks) < len(rest):
        left_out |= dict.fromkeys(leaks, "target")
    elif leaks:
        findings.append(
            Text(
                en=f"'{leaks[0]}' determines '{target.name}' one to one; make sure that it is known when predicting.",
                zh=f"“{leaks[0]}”与“{target.name}”一一对应；请确认预测时确实能得到它。",
            )
        )
    for why in REASONS:
        names = [name for name, reason in left_out.items() if reason == why]
        if names:
            findings.append(
                _listed(names, "column is left out", "columns are left out", "列已略去", REASONS[why])
            )
    used = tuple(each for each in rest if each.name not in left_out)
    return Choice(used, left_out, tuple(findings))


def look_over_cells(columns: Iterable[Column], specs: Sequence[Spec]) -> list[Text]:
    """Findings on values that are missing, infinite or of the wrong kind, and on categories put together."""
    held = list(columns)
    findings = look_over_numbers(held)
    holes = {
        each.name: count
        for each in held
        if (count := int(each.missing().sum()) - each.infinite - each.stray_count) > 0
    }
    if holes:
        fill = Text(
            en="a number becomes the median of the training part, with a feature that says so; a category, one of its own",
            zh="数值用训练集的中位数填补，并加一个指示特征；类别型的缺失自成一类",
        )
        findings.append(counted(holes, "value is missing", "values are missing", "个值缺失", fill))
    rare = {spec["name"]: spec["other"] for spec in specs if spec.get("other")}
    if rare:
        put = Text(
            en=f"the rarest are one together, (other), so that {MOST_CATEGORIES} of a column are left",
            zh=f"最少见的合并为 (other)，每列保留 {MOST_CATEGORIES} 个",
        )
        findings.append(counted(rare, "category is rare", "categories are rare", "个类别较少见", put))
    return findings


def look_over_numbers(columns: Iterable[Column]) -> list[Text]:
    """Findings on cells of columns of numbers that are no finite numbers."""
    held, findings = list(columns), []
    dropped = Text(en="counted as missing", zh="按缺失处理")
    infinite = {each.name: each.infinite for each in held if each.infinite}
    if infinite:
        findings.append(
            counted(infinite, "value is infinite or beyond 10^38", "values are infinite or beyond 10^38",
                    "个值为无穷或超出 10^38", dropped)
        )  # fmt: skip
    strays = {
        f"{each.name}={each.strays[0].strip()[:30]}": each.stray_count for each in held if each.stray_count
    }
    if strays:
        findings.append(
            counted(strays, "cell among numbers is none", "cells among numbers are none", "个单元格在数值列中却不是数", dropped)
        )  # fmt: skip
    return findings


def look_over_target(target: Target) -> list[Text]:
    """Findings on the sizes of the classes: some very small, or of very different sizes."""
    if target.kind == "regression":
        return []
    counts = np.bincount(target.values, minlength=len(target.classes))
    findings = []
    few = [f"{name} ({count})" for name, count in zip(target.classes, counts) if count < FEW]
    if few:
        why = Text(en=f"fewer than {FEW} rows", zh=f"少于 {FEW} 行")
        findings.append(_listed(few, "class is tiny", "classes are tiny", "个类别的数据太少", why))
    most, least = int(np.argmax(counts)), int(np.argmin(counts))
    if counts[most] > IMBALANCE * counts[least]:
        ratio = counts[most] / counts[least]
        a, b = target.classes[most], target.classes[least]
        findings.append(
            Text(
                en=f"The classes are unbalanced: '{a}' has {counts[most]:,} rows, {ratio:.1f} times as many as '{b}' with "
                f"{counts[least]:,}. Look at the accuracy of each class, not only at that of all.",
                zh=f"类别不平衡：“{a}”有 {counts[most]:,} 行，是“{b}”（{counts[least]:,} 行）的 {ratio:.1f} 倍。"
                "请查看每一类的准确率，而不只是总体准确率。",
            )
        )
    return findings


def look_for_repeats(firsts: np.ndarray, together: bool, test: np.ndarray | None = None) -> list[Text]:
    """Findings on rows that occur more than once.

    Args:
        firsts: from `etude.data.table_split.equal_rows`.
        together: such rows go to one part.
        test: the rows of a test part that the table came with.
    """
    if test is not None and (known := np.isin(firsts[test], np.delete(firsts, test)).sum()):
        are = "row of the test part is" if known == 1 else "rows of the test part are"
        return [
            Text(
                en=f"{known:,} {are} also among the others, so its result will look better than it is.",
                zh=f"测试集中有 {known:,} 行也出现在其余数据中，其结果会偏高。",
            )
        ]
    again = int((firsts != np.arange(len(firsts))).sum())
    if not again:
        return []
    do = Text(en="equal rows go to one part together", zh="相同的行总在同一部分")
    if not together:
        do = Text(
            en="with so few possible values rows must recur, so they are divided like any others",
            zh="取值种类很少，行重复是自然的，按普通行划分",
        )
    many = "1 row repeats another" if again == 1 else f"{again:,} rows repeat others"
    return [Text(en=f"{many} in every column; {do.en}.", zh=f"有 {again:,} 行与其他行完全相同；{do.zh}。")]


def _useless(column: Column) -> str | None:
    missing = column.missing()
    if missing.all():
        return "empty"
    values = column.values[~missing]
    if not missing.any() and (values == values[0]).all():
        return "constant"
    if column.kind in ("date", "text"):
        return column.kind
    return "numbering" if column.kind == "number" and _numbers_rows(column, values) else None


def _numbers_rows(column: Column, values: np.ndarray) -> bool:
    """Whole numbers, all different, in a column that says that it is a numbering or has no name and counts up."""
    if (
        len(values) < len(column.values)
        or (values != np.round(values)).any()
        or len(np.unique(values)) < len(values)
    ):
        return False
    name = column.name.casefold()
    if name in _ROW_NUMBERS or name.endswith(("_id", " id", "编号")) or column.name.endswith(("Id", "ID")):
        return True
    return name == "column 1" and bool((np.diff(values) == 1).all())


def _determines(column: Column, target: Target) -> bool:
    """Whether each value of the column belongs to one value of the target, and the other way round."""
    missing = column.missing()
    if missing.any():
        return False
    if target.kind == "regression":
        if column.kind != "number":
            return False
        return _same_up_to_unit(column.values, target.values.astype(np.float64))
    values, codes = np.unique(column.values, return_inverse=True)
    if len(values) != len(target.classes):
        return False
    pairs = np.unique(codes.reshape(-1).astype(np.int64) * len(target.classes) + target.values)
    return len(pairs) == len(values)


def _same_up_to_unit(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether ``b`` is ``a`` in another unit (a factor and a shift), up to the rounding of float32."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return bool(scale > 0) and abs(a @ b) / scale > 1 - 1e-10


def _listed(names: Sequence[str], one: str, many: str, zh: str, why: Text) -> Text:
    shown, more = names[:_LISTED], len(names) - _LISTED
    en = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    chinese = "、".join(shown) + (f"等，另有 {more:,} 个" if more > 0 else "")
    count = len(names)
    return Text(
        en=f"{count:,} {one if count == 1 else many} ({why.en}): {en}.",
        zh=f"{count:,} {zh}（{why.zh}）：{chinese}。",
    )


def counted(counts: dict[str, int], one: str, many: str, zh: str, do: Text) -> Text:
    """A sentence on how many there are of something, in which columns, and what is done about it.

    Args:
        counts: by column.
        one, many, zh: what is counted: one of it, several, and in Chinese after the number.
        do: what is done about it.
    """
    total = sum(counts.values())
    shown = sorted(counts.items(), key=lambda item: -item[1])[:_LISTED]
    more = len(counts) - len(shown)
    en = ", ".join(f"{name}: {count:,}" for name, count in shown)
    chinese = "、".join(f"{name}：{count:,}" for name, count in shown)
    if more > 0:
        en, chinese = f"{en} and {more:,} more columns", f"{chinese}等，另有 {more:,} 列"
    return Text(
        en=f"{total:,} {one if total == 1 else many} ({en}); {do.en}.",
        zh=f"{total:,} {zh}（{chinese}）；{do.zh}。",
    )
