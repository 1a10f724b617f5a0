"""``etude store``: what the studies have measured, how large it is, and forgetting it."""

from __future__ import annotations

import sys
from typing import Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError, unknown
from etude.core.text import Lang, Text

ABOUT = Text(
    en="Show what the studies have measured; etude store clear [STUDY…] forgets it, so that it is measured again.",
    zh="查看研究的测量结果；etude store clear [研究…] 清除它们，之后会重新测量。",
)
ACTIONS = ("show", "clear")


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude store", lang, ABOUT)
    parser.add_argument("action", nargs="?", default="show", metavar="|".join(ACTIONS), help=parser.words("what to do (show)", "操作（show）"))  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="STUDY", help=parser.words("only these", "只涉及这些"))  # fmt: skip
    parser.add_argument("--yes", action="store_true", help=parser.words("clear: do not ask", "clear：不再询问"))
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.action not in ACTIONS:
        raise unknown(Text(en="action", zh="操作"), arguments.action, ACTIONS)
    from etude.study.store import Store

    store = Store()
    return (
        _clear(store, arguments, output)
        if arguments.action == "clear"
        else _show(store, arguments.names, output)
    )


def _show(store: Any, names: list[str], output: Output) -> int:
    contents = {name: found for name, found in store.contents().items() if not names or name in names}
    rows: list[list[Any]] = [[name, count, _size(size)] for name, (count, size) in sorted(contents.items())]
    if rows:
        output.table([Text(en="study", zh="研究"), Text(en="seeds kept", zh="已存种子数"), Text(en="size", zh="大小")], rows)  # fmt: skip
    output.say(Text(en=f"{store.path}: {_size(store.size())} on the disk", zh=f"{store.path}：占用磁盘 {_size(store.size())}"))  # fmt: skip
    facts = {name: {"seeds": count, "bytes": size} for name, (count, size) in contents.items()}
    output.json({"path": str(store.path), "bytes": store.size(), "studies": facts})
    return 0


def _clear(store: Any, arguments: Any, output: Output) -> int:
    before = store.size()
    if arguments.names:
        contents = store.contents()
        for name in arguments.names:
            if name not in contents:
                raise unknown(Text(en="study in the store", zh="库中研究"), name, contents or ["–"])
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise EtudeError(en="etude store clear asks before it forgets; add --yes where nobody can answer.",
                             zh="etude store clear 在清除前会询问；无人应答时请加 --yes。")  # fmt: skip
        named = ", ".join(arguments.names)
        what = Text(en=named or f"all results ({_size(before)})", zh=named or f"全部结果（{_size(before)}）")
        if input(
            output.word(Text(en=f"Forget {what.en}? [y/N] ", zh=f"清除{what.zh}？[y/N] "))
        ).lower() not in ("y", "yes"):
            output.say(Text(en="Nothing was forgotten.", zh="未清除。"))
            return 0
    store.clear(arguments.names)
    output.say(Text(en=f"Cleared: {_size(before)} before, {_size(store.size())} now", zh=f"已清除：原 {_size(before)}，现 {_size(store.size())}"))  # fmt: skip
    output.json({"path": str(store.path), "bytes_before": before, "bytes": store.size()})
    return 0


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
