"""``etude doctor``: looks at this machine and this installation, measures them, and says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from etude import __version__
from etude.cli.diagnosis.advice import read_system
from etude.cli.diagnosis.finding import Section, private
from etude.cli.diagnosis.page import section_lines, wrap
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

ABOUT = Text(
    en="Look at this machine and this installation, measure them in about 5 seconds, and say what to do about what is "
    "missing. Exit code 0: étude can work; 1: something it needs is broken. The network is not tried.",
    zh="检查本机与安装情况，用约 5 秒测量速度，并说明如何解决缺失的部分。退出码 0：étude 可以工作；1：所需的某项已损坏。不会尝试连接网络。",
)
SCHEMA = 1
"""Grows when a name in the JSON changes its meaning or goes."""


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code. Nothing that it looks at is needed to look."""
    parser = Parser("etude doctor", lang, ABOUT)
    parser.add_argument("--quick", action="store_true", help=parser.words("measure for about 1 second, and import only torch and torchvision", "只测约 1 秒，只试导入 torch 与 torchvision"))  # fmt: skip
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    sections = []
    _say(output, [f"étude doctor {__version__}"])
    for section in examine(arguments.quick, output):
        sections.append(section)
        _say(output, section_lines(section, lang, _width(), _colour(output), not _can_print("✓✗→", output)))
    code = 1 if _count(sections, "broken") else 0
    _say(output, ["", *wrap(output.word(_summary(sections)), _width())])
    output.json(private(_facts(sections, lang, arguments.quick, code)))
    return code


def examine(quick: bool, output: Output) -> Iterator[Section]:
    """The sections, each as soon as it is there."""
    from etude.cli.diagnosis import datasets, hardware, places, software, speed, surroundings
    from etude.insight.accelerators import nvidia_cards
    from etude.insight.hardware import read_cores

    system, cards = read_system(), nvidia_cards()
    installed = software.examine(system, cards[0].driver if cards else None, quick)
    yield installed
    torch = installed.facts.get("imports", {}).get("torch", {"error": "unknown"})
    torch_works = torch["error"] is None and torch["version"] is not None
    machine = hardware.examine(system, cards, torch_works)
    yield machine
    if machine.facts.get("device"):
        cache_bytes = machine.facts["cpu"]["cache_bytes"]
        yield speed.examine(
            system, read_cores(), cache_bytes, machine.facts["device"], machine.facts["precision"], quick
        )
    yield places.examine(system, quick)
    yield surroundings.examine(system, output.stream)
    yield datasets.examine()


def _summary(sections: list[Section]) -> Text:
    broken, improvable = _count(sections, "broken"), _count(sections, "improvable")
    ask = Text(en="To ask for help, send what etude doctor --json prints: it has no name and no home path in it.",
               zh="求助时请附上 etude doctor --json 的输出：其中不含用户名与主目录路径。")  # fmt: skip
    if broken:
        first = Text(en=f"{broken} marked ✗ must be mended first", zh=f"{broken} 项标有 ✗，须先解决")
    elif improvable:
        first = Text(en="étude can work here", zh="étude 可以在本机工作")
    else:
        first = Text(en="étude can work here, and all is well", zh="étude 可以在本机工作，一切正常")
    if improvable:
        first = Text(
            en=f"{first.en}; {improvable} marked ! could be better",
            zh=f"{first.zh}；{improvable} 项标有 !，可以改进",
        )
    return Text(en=f"{first.en}. {ask.en}", zh=f"{first.zh}。{ask.zh}")


def _facts(sections: list[Section], lang: Lang, quick: bool, code: int) -> dict[str, Any]:
    found = {section.name: dict(section.facts) for section in sections}
    findings = [
        {"section": section.name, **finding.to_json(lang)}
        for section in sections
        for finding in section.findings
    ]
    return {
        "schema": SCHEMA,
        "etude": __version__,
        "quick": quick,
        **found,
        "findings": findings,
        "exit_code": code,
    }


def _count(sections: list[Section], state: str) -> int:
    return sum(finding.state == state for section in sections for finding in section.findings)


def _say(output: Output, lines: list[str]) -> None:
    """Print, with a question mark for what the terminal's encoding lacks: the diagnosis of that must not fail of it."""
    encoding = getattr(output.stream, "encoding", None) or "utf-8"
    for line in lines:
        output.say(line.encode(encoding, "replace").decode(encoding))


def _can_print(text: str, output: Output) -> bool:
    try:
        text.encode(getattr(output.stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _width() -> int:
    columns = shutil.get_terminal_size((100, 24)).columns
    return max(60, min(120, columns))


def _colour(output: Output) -> bool:
    modern = sys.platform != "win32" or bool(os.environ.get("WT_SESSION"))
    return output.stream.isatty() and modern and not os.environ.get("NO_COLOR")
