"""What the commands about studies share: flags, progress, and the language of outcomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.cli.parser import Parser
from etude.core.core_use import usable_cores
from etude.core.errors import EtudeError
from etude.core.text import Text

if TYPE_CHECKING:
    from etude.study.collect import Progress, Request

_PLAIN_LINE = 5.0  # seconds


def add_measuring(parser: Parser) -> None:
    """The flags of every command that measures."""
    parser.add_argument(
        "--seeds", type=int, metavar="N",
        help=parser.words("repetitions, each with a seed of its own (else the study's own number)", "重复次数，每次一个种子（默认由研究自定）"),
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=int, metavar="N", default=usable_cores(),
        help=parser.words("processes at a time (one a core)", "同时运行的进程数（默认每核一个）"),
    )  # fmt: skip
    parser.add_argument(
        "--fresh", action="store_true",
        help=parser.words("measure again, even what is in the store", "重新测量，不用结果库中已有的结果"),
    )  # fmt: skip


def check_measuring(arguments: Any) -> None:
    """Refuse numbers that make no sense.

    Raises:
        EtudeError: ``--seeds`` or ``--jobs`` is below 1.
    """
    for name in ("seeds", "jobs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise EtudeError(
                en=f"--{name} is {value}; it must be at least 1.", zh=f"--{name} 为 {value}；它必须不小于 1。"
            )


@contextmanager
def show_measuring(requests: list[Request], output: Output) -> Iterator[Callable[[Progress], None]]:
    """A function that shows each `Progress`: a live bar on a terminal, a line now and then elsewhere."""
    if output.quiet:
        yield lambda progress: None
    elif output.stream.isatty():
        with _live(requests, output) as show:
            yield show
    else:
        yield _plain(requests, output)


def _plain(requests: list[Request], output: Output) -> Callable[[Progress], None]:
    told = [time.monotonic()]

    def show(progress: Progress) -> None:
        if progress.row is None and time.monotonic() - told[0] > _PLAIN_LINE:
            told[0] = time.monotonic()
            done, total = _count(requests)
            output.say(Text(en=f"  {done} of {total} seeds measured", zh=f"  已测量 {done}/{total} 个种子"))

    return show


@contextmanager
def _live(requests: list[Request], output: Output) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from etude.study.rows import shown

    columns = (TextColumn("{task.fields[name]}"), BarColumn(bar_width=24), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
               TimeElapsedColumn(), TextColumn("[dim]{task.fields[row]}[/]"))  # fmt: skip
    drawn = [0.0]
    with Progress(*columns, console=output.console(), auto_refresh=True, transient=True) as bars:
        total = _count(requests)[1]
        room = max(bars.console.width - 68, 0)  # what the other columns leave
        bar = bars.add_task("", total=total, name=output.word(Text(en="measuring", zh="测量中")), row="")

        def show(progress: Any) -> None:
            name = progress.request.study.name
            if progress.row is None:
                bars.update(bar, completed=_count(requests)[0], name=name)
            elif time.monotonic() - drawn[0] > 0.1:
                drawn[0] = time.monotonic()
                few = "  ".join(f"{key} {shown(value)}" for key, value in list(progress.row.items())[:5])
                bars.update(bar, name=name, row=few[:room].replace("[", "("))

        yield show


def _count(requests: list[Request]) -> tuple[int, int]:
    return sum(len(request.rows) for request in requests), sum(len(request.seeds) for request in requests)
