"""A table looked over: its columns, what is to be learnt, what was noticed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.figures import draw_png
from etude.cli.output import Output
from etude.core.text import Text, same

if TYPE_CHECKING:
    from etude.data.entry import NamedColumn
    from etude.data.table import ColumnFacts, TableData

_MOST_COLUMNS = 60  # told one by one

_KINDS = {
    "number": Text(en="number", zh="数值"),
    "category": Text(en="category", zh="类别"),
    "date": Text(en="date", zh="日期"),
    "text": Text(en="text", zh="文本"),
}
_ROLES = {
    "target": Text(en="to be learnt", zh="要学习的列"),
    "feature": Text(en="feature", zh="特征"),
    "left out": Text(en="left out", zh="略去"),
}
_PARTS = {
    "train": Text(en="training", zh="训练"),
    "validation": Text(en="validation", zh="验证"),
    "test": Text(en="test", zh="测试"),
}


def tell_table(data: TableData, output: Output, figure: Path | None) -> None:
    """Say what a table holds, as words and as JSON; and draw it where a file for that is given."""
    about = _about(data)
    output.say(_headline(data))
    _tell_columns(data, output, about)
    _tell_parts(data, output)
    for finding in data.findings:
        output.say(finding)
    if figure:
        from etude.data.table_figure import columns_figure

        draw_png(lambda: columns_figure(data, output.lang, about), figure, output.lang, dpi=120)
        output.say(Text(en=f"Columns drawn: {figure}", zh=f"各列的图：{figure}"))
    output.json(table_facts(data) | {"figure": str(figure) if figure else None})


def table_facts(data: TableData) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "dataset": data.name,
        "kind": data.kind,
        "target": data.target,
        "input_shape": list(data.input_shape),
        "features": list(data.features),
        "classes": _class_counts(data),
        "columns": [
            {
                "name": each.name,
                "kind": each.kind,
                "role": each.role,
                "why": each.why,
                "missing": each.missing,
                "least": each.least,
                "most": each.most,
                "categories": dict(each.categories),
                "distinct": each.distinct,
            }
            for each in data.columns
        ],
        "split": data.split,
        "findings": [finding.en for finding in data.findings],
        "fingerprint": data.fingerprint,
    }


def _about(data: TableData) -> dict[str, NamedColumn]:
    """What the columns of a table of the catalogue mean."""
    from etude.data.catalog import list_datasets
    from etude.data.entry import NamedTable

    entry = list_datasets().get(data.name) if "licence" in data.source else None
    return {each.name: each for each in (*entry.columns, entry.target)} if isinstance(entry, NamedTable) else {}


def _headline(data: TableData) -> Text:
    rows = sum(len(part) for part in (data.train, data.validation, data.test))
    what = Text(en=f"{data.num_classes} classes", zh=f"{data.num_classes} 类")
    if data.kind == "regression":
        what = Text(
            en=f"a number, {data.target_mean:.4g} ± {data.target_std:.4g} in the training part",
            zh=f"数值，训练集上为 {data.target_mean:.4g} ± {data.target_std:.4g}",
        )
    return Text(
        en=f"{data.name}: {rows:,} rows, {len(data.features):,} features; '{data.target}' is to be learnt: {what.en}",
        zh=f"{data.name}：{rows:,} 行，{len(data.features):,} 个特征；要学习的是“{data.target}”：{what.zh}",
    )


def _tell_columns(data: TableData, output: Output, about: dict[str, NamedColumn]) -> None:
    headings: list[Text | str] = [
        Text(en="column", zh="列"), Text(en="kind", zh="类型"), Text(en="use", zh="用途"), Text(en="missing", zh="缺失"),
        Text(en="values", zh="取值"),
    ]  # fmt: skip
    if about:
        headings.append(Text(en="meaning", zh="含义"))
    rows = []
    for each in data.columns[:_MOST_COLUMNS]:
        missing = f"{each.missing:.1%}" if each.missing else ""
        row = [each.name, _KINDS[each.kind], _ROLES[each.role], missing, _values(each)]
        rows.append([*row, _meaning(about[each.name])] if about else row)
    output.table(headings, rows)
    more = len(data.columns) - _MOST_COLUMNS
    if more > 0:
        output.say(Text(en=f"… and {more:,} more columns.", zh=f"……另有 {more:,} 列。"))


def _meaning(column: NamedColumn) -> Text:
    if not column.unit.en:
        return column.about
    return Text(en=f"{column.about.en} ({column.unit.en})", zh=f"{column.about.zh}（{column.unit.zh}）")


def _values(column: ColumnFacts) -> Text:
    if column.kind == "number" and column.least is not None:
        return same(f"{column.least:g} … {column.most:g}")
    if not column.categories or column.kind != "category":
        return Text(en=f"{column.distinct:,} different", zh=f"{column.distinct:,} 种")
    shown = ", ".join(f"{_short(name)} ({count:,})" for name, count in column.categories)
    shown_zh = "、".join(f"{_short(name)}（{count:,}）" for name, count in column.categories)
    more = column.distinct - len(column.categories)
    return Text(
        en=shown + (f" and {more:,} more" if more > 0 else ""),
        zh=shown_zh + (f"，另有 {more:,} 种" if more > 0 else ""),
    )


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _tell_parts(data: TableData, output: Output) -> None:
    counts = _class_counts(data)
    sizes = [len(getattr(data, part)) for part in _PARTS]
    first = Text(en="class", zh="类别") if counts else Text(en="rows", zh="行数")
    rows: list[list[Any]] = [[_short(name), *each.values()] for name, each in (counts or {}).items()]
    if len(rows) > _MOST_COLUMNS:
        rows = rows[:_MOST_COLUMNS]
        rows.append([Text(en="…", zh="……"), *[""] * len(_PARTS)])
    rows.append([Text(en="all", zh="合计"), *sizes])
    output.table([first, *_PARTS.values()], rows)


def _class_counts(data: TableData) -> dict[str, dict[str, int]] | None:
    """How many rows of each class each part has."""
    if data.kind == "regression":
        return None
    import numpy as np

    counts = {
        part: np.bincount(getattr(data, part).targets, minlength=data.num_classes).tolist() for part in _PARTS
    }
    return {name: {part: counts[part][place] for part in _PARTS} for place, name in enumerate(data.classes)}
