"""How a file of delimited text is written: its encoding, its delimiter, whether it names its columns."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.text import Text

DELIMITERS = ("\t", ";", "|", ",")
"""In order of preference: a comma may be within the numbers of a file whose delimiter is another."""

SPACES = " "
"""Stands for any run of white space."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""What stands for a missing value, in small letters."""

_BLOCK = 1 << 20
_SAMPLE = 100  # lines
_OPENINGS = {b"PK\x03\x04": "Excel", b"\xd0\xcf\x11\xe0": "Excel", b"PAR1": "Parquet", b"SQLite": "SQLite"}
_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 12, 13, 27))


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file; those that were packed, of a ``.gz``.

    Raises:
        EtudeError: it cannot be opened.
    """
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else open(path, "rb")
    except OSError as error:
        raise explain_os_error(error, path) from None


def find_encoding(path: Path) -> tuple[str, Text | None]:
    """How the text of a file is encoded, and what a person should know of it.

    Raises:
        EtudeError: the file is empty, or is no text.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(_BLOCK)
            _refuse_binary(path, head)
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16", None
            blocks = _blocks(head, file)
            if _decodes(blocks, "utf-8"):
                return "utf-8-sig", None
        with open_bytes(path) as file:
            chinese = _decodes(_blocks(b"", file), "gb18030") and _in_pairs(head)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise EtudeError(
            en=f"{path} cannot be unpacked ({error}); it is damaged or no gzip file.",
            zh=f"{path} 无法解压（{error}）；文件已损坏，或不是 gzip 文件。",
        ) from None
    except OSError as error:
        raise explain_os_error(error, path) from None
    encoding, name = ("gb18030", "GB18030") if chinese else ("latin-1", "Latin-1")
    return encoding, Text(
        en=f"The file is not UTF-8; it is read as {name}. If letters look wrong, save it as UTF-8.",
        zh=f"文件不是 UTF-8 编码，按 {name} 读取。如有乱码，请另存为 UTF-8。",
    )


def find_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter of some lines: the one that divides all of them into as many fields; None where none divides them."""
    lines = [line for line in lines[:_SAMPLE] if line.strip()]
    found: list[tuple[float, bool, int, str]] = []
    for rank, delimiter in enumerate([*DELIMITERS, SPACES]):
        widths: Counter[int] = Counter()
        with contextlib.suppress(csv.Error):  # what came before a quote that is not closed still tells
            widths.update(len(row) for row in split_lines(lines, delimiter) if row)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1:
            found.append((count / len(lines), delimiter != SPACES, -rank, delimiter))
    return max(found)[3] if found else None


def split_lines(lines: Iterable[str], delimiter: str | None) -> Iterator[list[str]]:
    """The fields of each line (a quoted field may go over several).

    Raises:
        csv.Error: a quote is not closed, or what follows one is not the delimiter.
    """
    if delimiter == SPACES:
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=delimiter or "\x1f", skipinitialspace=True, strict=True)


def looks_named(rows: Sequence[Sequence[str]], is_number: Callable[[str], bool]) -> bool:
    """Whether the first of some rows names the columns.

    It does where a word stands above numbers only. Where no column is like that, it does if it holds no number
    and its words do not come again below it.
    """
    first, below = rows[0], rows[1:]
    columns = list(zip(*below)) if below else [()] * len(first)
    for name, column in zip(first, columns):
        values = [cell for cell in column if not is_missing(cell)]
        if values and not is_missing(name) and not is_number(name) and all(map(is_number, values)):
            return True
    if any(is_number(name) for name in first):
        return False
    again = sum(name in column for name, column in zip(first, columns) if name)
    return again * 2 < len(first)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a value that is not there."""
    return cell.strip().lower() in MISSING


def _refuse_binary(path: Path, head: bytes) -> None:
    if not head.strip(codecs.BOM_UTF8 + b" \t\r\n"):
        raise EtudeError(en=f"{path} is empty.", zh=f"{path} 是空文件。")
    kind = next((kind for opening, kind in _OPENINGS.items() if head.startswith(opening)), None)
    if kind:
        raise EtudeError(
            en=f"{path} is no delimited text but looks like an {kind} file; save the table as CSV.",
            zh=f"{path} 不是分隔文本，而像是 {kind} 文件；请把表格另存为 CSV。",
        )
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    sample = head[: 1 << 16]
    if b"\0" in sample or len(sample) - len(sample.translate(None, _CONTROL)) > len(sample) // 100:
        raise EtudeError(
            en=f"{path} is no text: it holds binary data. Give a table as CSV, TSV or .npz.",
            zh=f"{path} 不是文本：其内容为二进制数据。请给出 CSV、TSV 或 .npz 格式的表格。",
        )


def _blocks(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield head
    while block := file.read(_BLOCK):
        yield block


def _decodes(blocks: Iterable[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _in_pairs(head: bytes) -> bool:
    """Chinese characters are pairs of high bytes; the accented letters of Latin-1 stand among plain ones."""
    runs = re.findall(rb"[\x80-\xff]+", head)
    return sum(len(run) % 2 == 0 for run in runs) > 0.9 * len(runs)


def text_lines(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text, its line ends as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")
