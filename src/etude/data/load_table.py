"""A table as data to learn from: its target chosen, its columns prepared, its rows split, looked over."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.errors import EtudeError
from etude.core.text import Text
from etude.data.columns import Column, infer_column
from etude.data.delimited import read_delimited
from etude.data.features import Spec, feature_names, fit_columns, prepare_columns
from etude.data.table import ColumnFacts, TableData, TableExamples
from etude.data.table_look import (
    REASONS,
    Choice,
    choose_features,
    look_for_repeats,
    look_over_cells,
    look_over_target,
)
from etude.data.table_split import TEST_SHARE, VALIDATION_SHARE, equal_rows, keep_together, split_rows
from etude.data.target import TableTask, Target, choose_target, read_target

FEWEST_ROWS = 10
_ROOM = 1 << 32  # bytes that the prepared features may take


@dataclass(frozen=True)
class RawTable:
    """A table as its source gives it.

    Args:
        columns: all of them, the target too, of the same length.
        target: the name of the column to be learnt; None: not said.
        test_rows: int64, the rows of the official test part; None where there is none.
        has_header: whether the names of the columns are the table's own.
        findings: what was noticed while reading.
    """

    columns: tuple[Column, ...]
    target: str | None = None
    test_rows: np.ndarray | None = None
    has_header: bool = True
    findings: tuple[Text, ...] = ()


def load_table(
    path: Path, *, seed: int, validation_size: int | float | None = None, target: str | None = None,
    task: TableTask | None = None,
) -> TableData:  # fmt: skip
    """A person's own table of delimited text (CSV, TSV), looked over and split in three.

    Args:
        path: the file.
        seed: the split follows from it.
        validation_size: rows held out of the training part (an int), or a fraction of it (a float below 1).
        target: the column to be learnt; None: one called target, label, class or y, else the last one.
        task: classification or regression; None: classification where the target is text or at most 20 different whole
            numbers.

    Raises:
        EtudeError: the file cannot be read, or there is nothing to learn from in it.
    """
    raw = read_table(path)
    name = path.name.removesuffix(".gz").rsplit(".", 1)[0] or path.name
    return make_table(
        name, raw, seed=seed, validation_size=validation_size, target=target, task=task, source={"path": str(path.absolute())}
    )  # fmt: skip


def read_table(path: Path) -> RawTable:
    """The columns of a file of delimited text, each read as what it holds.

    Raises:
        EtudeError: the file cannot be read as a table.
    """
    cells = read_delimited(path)
    columns = tuple(
        infer_column(name, functools.partial(cells.column, place), cells.decimal_comma)
        for place, name in enumerate(cells.names)
    )
    return RawTable(columns, has_header=cells.has_header, findings=cells.findings)


def make_table(
    name: str, raw: RawTable, *, seed: int, validation_size: int | float | None = None, target: str | None = None,
    task: TableTask | None = None, source: dict[str, Any],
) -> TableData:  # fmt: skip
    """A table split in three, its features prepared by what its training part shows.

    Args:
        name: what it is called; with the seed it decides the split.
        raw: the columns.
        seed, validation_size, target, task: as of `load_table`.
        source: what to remember of where it came from.

    Raises:
        EtudeError: there is nothing to learn from in it.
    """
    names = [each.name for each in raw.columns]
    chosen, told_target = choose_target(names, target if target is not None else raw.target)
    whole, told_task = read_target(raw.columns[names.index(chosen)], task)
    rows, dropped = _known_rows(whole)
    learnt = Target(whole.name, whole.kind, whole.values[rows], whole.known[rows], whole.classes, whole.numeric)
    others = [each if not dropped else each.take(rows) for each in raw.columns if each.name != chosen]
    choice = choose_features(others, learnt)
    _refuse_nothing(name, choice, learnt, len(rows))
    firsts = equal_rows(choice.used, learnt.values)
    together = keep_together(firsts, choice.used)
    apart = firsts if together else np.arange(len(rows))
    test = None if raw.test_rows is None else np.flatnonzero(np.isin(rows, raw.test_rows))
    strata = learnt.values if learnt.kind == "classification" else None
    share = VALIDATION_SHARE if validation_size is None else validation_size
    places = split_rows(apart, strata, name, seed, share, test)
    specs = fit_columns(choice.used, places["train"])
    _refuse_too_large(name, len(rows), len(feature_names(specs)))
    features = prepare_columns({each.name: each for each in choice.used}, specs, len(rows))
    parts = {part: TableExamples(features[at], learnt.values[at], rows[at]) for part, at in places.items()}
    mean, std = _target_statistics(learnt, parts["train"])
    findings = [
        *raw.findings,
        *[told for told in (told_target, told_task) if told],
        *dropped,
        *choice.findings,
        *look_over_cells(choice.used, specs),
        *look_over_target(learnt),
        *look_for_repeats(firsts, together, test),
    ]
    return TableData(
        name=name,
        kind=learnt.kind,
        target=chosen,
        features=feature_names(specs),
        classes=learnt.classes,
        **parts,
        target_mean=mean,
        target_std=std,
        fingerprint=_fingerprint(parts, feature_names(specs), learnt.classes),
        split={
            **{part: len(examples) for part, examples in parts.items()},
            "seed": seed,
            "rule": _rule(test is not None, strata is not None, together),
        },
        findings=tuple(findings),
        preparation=_preparation(raw, specs, choice, learnt),
        source={**source, "rows": len(rows), "dropped": len(whole.known) - len(rows)},
        columns=_facts(raw.columns, rows, choice, learnt),
    )


def _rule(own_test: bool, stratified: bool, together: bool) -> str:
    return "; ".join(
        [
            "the table's own test part" if own_test else f"{TEST_SHARE:.0%} held out as the test part",
            "stratified, seeded" if stratified else "seeded",
            *["equal rows together"] * together,
        ]
    )


def _preparation(raw: RawTable, specs: list[Spec], choice: Choice, target: Target) -> dict[str, Any]:
    """What `etude.data.prepare_rows.prepare_rows` needs."""
    return {
        "kind": "table",
        "has_header": raw.has_header,
        "columns": specs,
        "left_out": list(choice.left_out),
        "target": {
            "name": target.name, "kind": target.kind, "classes": list(target.classes), "numeric": target.numeric,
        },
    }  # fmt: skip


def _known_rows(target: Target) -> tuple[np.ndarray, list[Text]]:
    """The rows whose target is known, and what to say of the others."""
    rows = np.flatnonzero(target.known)
    count = len(target.known) - len(rows)
    if not count:
        return rows, []
    are = "row has no value" if count == 1 else "rows have no value"
    return rows, [
        Text(
            en=f"{count:,} {are} of '{target.name}' and {'is' if count == 1 else 'are'} left out.",
            zh=f"有 {count:,} 行没有“{target.name}”的值，已略去。",
        )
    ]


def _refuse_nothing(name: str, choice: Choice, target: Target, rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise EtudeError(
            en=f"{name} has {rows} rows with a value of '{target.name}'; at least {FEWEST_ROWS} are needed to learn and to test.",
            zh=f"{name} 中有“{target.name}”值的只有 {rows} 行；学习与测试至少需要 {FEWEST_ROWS} 行。",
        )
    if not choice.used:
        shown = list(choice.left_out.items())[:5]
        why = ", ".join(f"{column} ({REASONS[reason].en})" for column, reason in shown)
        why_zh = "、".join(f"{column}（{REASONS[reason].zh}）" for column, reason in shown)
        raise EtudeError(
            en=f"{name} has no column to learn '{target.name}' from: {why}.",
            zh=f"{name} 中没有可用来学习“{target.name}”的列：{why_zh}。",
        )


def _refuse_too_large(name: str, rows: int, features: int) -> None:
    if rows * features * 4 > _ROOM:
        raise EtudeError(
            en=f"{name} would become {rows:,} rows of {features:,} features, {rows * features * 4 / 1e9:.0f} GB; "
            "leave out columns with many categories, or rows.",
            zh=f"{name} 会变成 {rows:,} 行 × {features:,} 个特征，共 {rows * features * 4 / 1e9:.0f} GB；"
            "请删去类别很多的列，或减少行数。",
        )


def _target_statistics(target: Target, train: TableExamples) -> tuple[float, float]:
    if target.kind == "classification":
        return 0.0, 1.0
    values = train.targets.astype(np.float64)
    return float(values.mean()), float(values.std()) or 1.0


def _facts(
    columns: Sequence[Column], rows: np.ndarray, choice: Choice, target: Target
) -> tuple[ColumnFacts, ...]:
    used = {each.name for each in choice.used}
    facts = []
    for each in columns:
        column = each.take(rows)
        missing = column.missing()
        present = column.values[~missing]
        numeric = column.kind == "number" and len(present) > 0
        facts.append(
            ColumnFacts(
                name=each.name,
                kind=column.kind,
                role="target" if each.name == target.name else "feature" if each.name in used else "left out",
                why=choice.left_out.get(each.name),
                missing=float(missing.mean()),
                least=float(present.min()) if numeric else None,
                most=float(present.max()) if numeric else None,
                categories=() if numeric else _most_frequent(column),
                distinct=len(np.unique(present)) if column.kind != "text" else len(column.categories),
            )
        )
    return tuple(facts)


def _most_frequent(column: Column, most: int = 6) -> tuple[tuple[str, int], ...]:
    if column.kind == "number":
        return ()
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple((column.categories[code], int(counts[code])) for code in order if counts[code])


def _fingerprint(parts: dict[str, TableExamples], features: Sequence[str], classes: Sequence[str]) -> str:
    """SHA-256 over every number of every part, the rows, and the names of features and classes."""
    digest = hashlib.sha256("\x1f".join([*features, "\x1e", *classes]).encode())
    for part in parts.values():
        for array in (part.features, part.targets, part.rows):
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
