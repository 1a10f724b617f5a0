"""The diagnosis as lines of text, for any terminal: no library is needed to print it, since one may be broken."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

from etude.cli.diagnosis.finding import Finding, Section, private
from etude.core.text import Lang

_MARKS = {"fine": "✓", "improvable": "!", "broken": "✗"}
_PLAIN_MARKS = {"fine": "+", "improvable": "!", "broken": "X"}
_COLOURS = {"fine": "32", "improvable": "33;1", "broken": "31;1"}
_LABEL = 18  # columns


def section_lines(
    section: Section, lang: Lang, width: int, colour: bool = False, plain: bool = False
) -> list[str]:
    """The section's title and findings, no line wider than ``width`` columns (a Chinese character takes two).

    Only commands are not broken: they are to be copied.

    Args:
        plain: with marks that every encoding has.
    """
    lines = ["", _coloured(section.title.to(lang), "1", colour)]
    for finding in section.findings:
        lines += _finding_lines(finding, lang, width, colour, _PLAIN_MARKS if plain else _MARKS)
    return lines


def _finding_lines(finding: Finding, lang: Lang, width: int, colour: bool, marks: dict[str, str]) -> list[str]:
    label = private(finding.label.to(lang))
    gap = " " * max(1, _LABEL - columns(label))
    head = f" {_coloured(marks[finding.state], _COLOURS[finding.state], colour)} {label}{gap}"
    indent = " " * (3 + _LABEL)
    first, *rest = wrap(private(finding.value.to(lang)), width - max(len(indent), 3 + columns(label + gap)))
    lines = [head + first, *(indent + line for line in rest)]
    if finding.advice:
        arrow, *more = wrap(private(finding.advice.to(lang)), width - len(indent) - 2)
        lines += [f"{indent}→ {arrow}", *(f"{indent}  {line}" for line in more)]
    if finding.command:
        lines.append(f"{indent}  {_coloured(private(finding.command), '36', colour)}")
    return lines


def columns(text: str) -> int:
    """The columns that a terminal gives to the text."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns; broken at spaces and between Chinese characters, words longer than a line in two.

    No line begins with a punctuation mark that belongs to what is before it.
    """
    pieces = re.findall(
        r"[^\W\d_a-zA-Z]?[，。；：！？、）”]+|\s+|[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+",
        text,
    )
    joined: list[str] = []
    for piece in pieces:
        if (joined and re.fullmatch(r"[，。；：！？、）”]+", piece) and not joined[-1].isspace()) or (
            joined and joined[-1].endswith(("（", "“"))
        ):
            joined[-1] += piece
        else:
            joined.append(piece)
    lines, line = [], ""
    for piece in joined:
        if columns(line + piece.rstrip()) <= width:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = piece.lstrip()
        while columns(line) > width:
            fits = next(n for n in range(len(line), 0, -1) if columns(line[:n]) <= width or n == 1)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _coloured(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
