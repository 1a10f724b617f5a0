"""Where words go: to a person on the terminal, or out of the way of the one JSON object on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Prints in one language.

    Args:
        lang: the language of every `Text` printed.
        as_json: words go to stderr, so that stdout holds one JSON object.
        quiet: words are not printed at all; warnings and errors still are.
    """

    def __init__(self, lang: Lang, as_json: bool = False, quiet: bool = False) -> None:
        self.lang = lang
        self.as_json = as_json
        self.quiet = quiet

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self.as_json else sys.stdout

    def say(self, text: Text | str) -> None:
        """A line for a person; silent under ``--quiet``."""
        if not self.quiet:
            print(self.word(text), file=self.stream, flush=True)

    def warn(self, text: Text | str) -> None:
        """A line that ``--quiet`` does not silence; always on stderr."""
        print(self.word(text), file=sys.stderr, flush=True)

    def word(self, text: Text | str) -> str:
        return text.to(self.lang) if isinstance(text, Text) else text

    def table(self, headings: list[Text | str], rows: list[list[Any]], title: Text | str | None = None) -> None:
        """A table; numbers are set to the right."""
        if self.quiet:
            return
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, title=self.word(title) if title else None, title_justify="left")
        for column, heading in enumerate(headings):
            number = bool(rows) and all(isinstance(row[column], int | float) for row in rows)
            table.add_column(self.word(heading), justify="right" if number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(self._cell(cell) for cell in row))
        self.console().print(table)

    def console(self) -> Console:
        """A rich console on the stream that words go to; plain and 120 wide when that is no terminal."""
        from rich.console import Console

        width = None if self.stream.isatty() else 120
        return Console(file=self.stream, width=width, highlight=False, soft_wrap=False, markup=False)

    @contextmanager
    def loading(self) -> Iterator[Callable[[int, int], None] | None]:
        """A function ``(done, total)`` that shows how far a download or a decoding has come; None under ``--quiet``.

        Nothing is shown until it is called for the first time.
        """
        if self.quiet:
            yield None
            return
        if not self.stream.isatty():
            told = [-1]

            def tell(done: int, total: int) -> None:
                tenth = done * 10 // max(total, 1)
                if tenth != told[0]:
                    told[0] = tenth
                    self.say(Text(en=f"  reading data: {tenth * 10} %", zh=f"  读取数据：{tenth * 10} %"))

            yield tell
            return
        from rich.progress import Progress

        with Progress(console=self.console(), transient=True) as progress:
            tasks: list[Any] = []

            def draw(done: int, total: int) -> None:
                if not tasks:
                    tasks.append(progress.add_task(self.word(Text(en="reading data", zh="读取数据"))))
                progress.update(tasks[0], completed=done, total=total)

            yield draw

    def json(self, content: dict[str, Any]) -> None:
        """The one JSON object, as the last line of stdout; printed only under ``--json``."""
        if self.as_json:
            print(json.dumps(content, ensure_ascii=False, allow_nan=False), flush=True)

    def _cell(self, cell: Any) -> str:
        if isinstance(cell, Text):
            return cell.to(self.lang)
        if isinstance(cell, bool) or cell is None:
            return "" if cell is None else str(cell).lower()
        return f"{cell:,}" if isinstance(cell, int) else str(cell)
