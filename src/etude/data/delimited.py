"""Delimited text (CSV, TSV) read into columns of cells, about as large in memory as the file."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.text import Text
from etude.data.columns import is_number
from etude.data.sniff import find_delimiter, find_encoding, looks_named, split_lines, text_lines

MOST_COLUMNS = 50_000

_CHUNK = 200_000  # cells that are Python objects at a time; the rest are joined
_SAMPLE = 100  # rows looked at before reading on
_BETWEEN = "\0"  # in no cell: a file that holds it is refused as binary


@dataclass(frozen=True)
class Cells:
    """A file's cells, as text, column by column.

    Args:
        names: of the columns.
        count: rows.
        chunks: for some rows at a time, the cells of each column joined.
        decimal_comma: whether ``1,5`` is one and a half.
        has_header: whether the names are the file's own.
        findings: what was noticed about how the file is written.
    """

    names: tuple[str, ...]
    count: int
    chunks: tuple[tuple[str, ...], ...]
    decimal_comma: bool
    has_header: bool
    findings: tuple[Text, ...]

    def column(self, place: int) -> Iterator[list[str]]:
        """The cells of one column, some rows at a time."""
        return (chunk[place].split(_BETWEEN) for chunk in self.chunks)


def read_delimited(path: Path, *, has_header: bool | None = None, least_columns: int = 2) -> Cells:
    """Read a table of text, compressed (``.gz``) or not.

    The delimiter (tab, semicolon, bar, comma or spaces), the encoding (UTF-8, UTF-16 with its mark, else GB18030 or
    Latin-1, which is said) and whether there is a header are found out; blank lines are passed over.

    Args:
        path: the file.
        has_header: whether the first line names the columns; None: find out.
        least_columns: how many there must be.

    Raises:
        EtudeError: the file cannot be read, is empty, is no text, or its rows have different numbers of cells.
    """
    encoding, finding = find_encoding(path)
    findings = [finding] if finding else []
    try:
        with text_lines(path, encoding) as file:
            first = list(itertools.islice(file, _SAMPLE))
            delimiter = find_delimiter(first)
            rows = _rows(path, itertools.chain(first, file), delimiter)
            return _read(path, rows, delimiter, has_header, least_columns, findings)
    except UnicodeError:
        raise EtudeError(
            en=f"{path} is not the {encoding} text that it begins as; save it as UTF-8.",
            zh=f"{path} 不是完整的 {encoding} 文本；请另存为 UTF-8。",
        ) from None
    except OSError as error:
        raise explain_os_error(error, path) from None


def _read(
    path: Path, rows: Iterator[tuple[int, list[str]]], delimiter: str | None, named: bool | None, least_columns: int,
    findings: list[Text],
) -> Cells:  # fmt: skip
    sample = list(itertools.islice(rows, _SAMPLE))
    if not sample:
        raise EtudeError(en=f"{path} is empty.", zh=f"{path} 是空文件。")
    width = len(sample[0][1])
    if width > MOST_COLUMNS:
        raise EtudeError(
            en=f"{path} has {width:,} columns; étude takes at most {MOST_COLUMNS:,}. Leave out columns, or turn the table.",
            zh=f"{path} 有 {width:,} 列；étude 最多接受 {MOST_COLUMNS:,} 列。请删去一些列，或将表格转置。",
        )
    if width < least_columns:
        raise EtudeError(
            en=f"{path} has one column only; a table has a column to learn and at least one to learn it from, "
            "divided by a comma, semicolon, tab or bar.",
            zh=f"{path} 只有一列；表格至少需要一个目标列和一个特征列，用逗号、分号、制表符或竖线分隔。",
        )
    decimal_comma = delimiter == ";"
    if named is None:
        even = [cells for _, cells in sample if len(cells) == width]
        named = looks_named(even, lambda cell: is_number(cell, decimal_comma))
    if named:
        names = _names(path, sample.pop(0)[1])
    else:
        names = tuple(f"column {place}" for place in range(1, width + 1))
        findings.append(
            Text(
                en=f"The first line holds no names; the columns are called column 1 to column {width}.",
                zh=f"第一行不是列名；各列依次称为 column 1 到 column {width}。",
            )
        )
    count, chunks = _pack(path, itertools.chain(sample, rows), width)
    if not count:
        raise EtudeError(en=f"{path} has a header and no rows below it.", zh=f"{path} 只有表头，没有数据行。")
    return Cells(names, count, chunks, decimal_comma, named, tuple(findings))


def _rows(path: Path, lines: Iterator[str], delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line it ends on."""
    reader = split_lines(lines, delimiter)
    line = 0
    try:
        for count, row in enumerate(reader, start=1):
            line = getattr(reader, "line_num", count)
            if row and (len(row) > 1 or row[0].strip()):
                yield line, row
    except csv.Error as error:
        if "limit" in str(error):
            what = Text(
                en=f"has a cell of more than {csv.field_size_limit():,} characters",
                zh=f"有单元格超过 {csv.field_size_limit():,} 个字符",
            )
        else:
            what = Text(
                en="has a quoted cell that does not end where the cell does", zh="有带引号的单元格没有正确结束"
            )
        raise EtudeError(
            en=f'{path}, the row from line {line + 1:,} on {what.en}; close every quote, and write a quote (") within quotes twice.',
            zh=f'{path} 从第 {line + 1:,} 行起的一行{what.zh}；请让引号成对，引号内的引号（"）写两个。',
        ) from None


def _pack(
    path: Path, rows: Iterator[tuple[int, list[str]]], width: int
) -> tuple[int, tuple[tuple[str, ...], ...]]:
    most = max(_CHUNK // width, 1)
    count, chunks, waiting = 0, [], []
    for line, row in rows:
        if len(row) != width:
            raise EtudeError(
                en=f"{path}, line {line:,} has {len(row):,} cells, the first line {width:,}; every row needs as many "
                "(an empty cell for a missing value, quotes around a cell that holds the delimiter).",
                zh=f"{path} 第 {line:,} 行有 {len(row):,} 个单元格，而第一行有 {width:,} 个；各行必须一样多"
                "（缺失值留空，含分隔符的内容加双引号）。",
            )
        waiting.append(row)
        if len(waiting) == most:
            chunks.append(_join(path, waiting))
            count += len(waiting)
            waiting = []
    if waiting:
        chunks.append(_join(path, waiting))
    return count + len(waiting), tuple(chunks)


def _join(path: Path, rows: list[list[str]]) -> tuple[str, ...]:
    joined = tuple(map(_BETWEEN.join, zip(*rows)))
    if any(column.count(_BETWEEN) != len(rows) - 1 for column in joined):
        raise EtudeError(
            en=f"{path} is no text: it holds binary data.", zh=f"{path} 不是文本：其内容为二进制数据。"
        )
    return joined


def _names(path: Path, header: list[str]) -> tuple[str, ...]:
    names = [" ".join(name.split()) or f"column {place}" for place, name in enumerate(header, start=1)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise EtudeError(
                en=f"{path} has two columns called '{name}'; give every column a name of its own.",
                zh=f"{path} 中有两列都叫“{name}”；请让每一列的名称各不相同。",
            )
        seen.add(name)
    return tuple(names)
