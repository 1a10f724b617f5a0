"""Around étude: a font for Chinese figures, the display, the browser, the terminal's characters and colours."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from etude.cli.diagnosis.advice import System
from etude.cli.diagnosis.finding import Section, survive
from etude.core.text import Text, same


def examine(system: System, stream: TextIO) -> Section:
    """The section, for words that go to ``stream``."""
    section = Section("surroundings", Text(en="Figures and terminal", zh="图与终端"))
    for look in (_font, _display, _browser, lambda section, system: _terminal(section, system, stream)):
        survive(section, lambda look=look: look(section, system))  # type: ignore[misc]
    return section


def _font(section: Section, system: System) -> None:
    label = Text(en="Chinese font", zh="中文字体")
    try:
        from etude.core.plotting import chinese_font

        font = chinese_font()
    except (ImportError, OSError) as error:
        section.facts["chinese_font"] = None
        section.add(
            "font",
            label,
            Text(en=f"matplotlib cannot be imported ({error})", zh=f"matplotlib 无法导入（{error}）"),
            "improvable",
        )
        return
    section.facts["chinese_font"] = font
    if font:
        section.add("font", label, same(font))
        return
    value = Text(en="none: figures have English words", zh="无：图中文字将为英文")
    advice = Text(en="For Chinese figures install one.", zh="要在图中显示中文，请安装一种。")
    section.add("font", label, value, "improvable", advice, system.install("chinese font"))


def _display(section: Section, system: System) -> None:
    remote = bool(os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_CLIENT"))
    shown = [name for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
    window = bool(shown) or (system.family in ("windows", "macos") and not remote)
    section.facts |= {"can_show_windows": window, "ssh": remote}
    over = Text(en=" (over SSH)", zh="（经 SSH）") if remote else same("")
    value = (
        Text(en=f"windows can be shown{over.en}", zh=f"可以显示窗口{over.zh}")
        if window
        else Text(
            en=f"none{over.en}, and none is needed: figures are PNG files",
            zh=f"无{over.zh}，也不需要：图保存为 PNG 文件",
        )
    )
    section.add("display", Text(en="display", zh="显示"), value)


def _browser(section: Section, system: System) -> None:
    import webbrowser

    label = Text(en="browser", zh="浏览器")
    try:
        found = webbrowser.get()
        name = os.path.basename(str(getattr(found, "name", "") or type(found).__name__))
    except webbrowser.Error:
        section.facts["browser"] = None
        section.add(
            "browser",
            label,
            Text(
                en="none found; reports are HTML files, to be opened elsewhere",
                zh="未找到；报告为 HTML 文件，可在别处打开",
            ),
        )
        return
    section.facts["browser"] = name
    section.add("browser", label, same(name))


def _terminal(section: Section, system: System, stream: TextIO) -> None:
    encoding = (getattr(stream, "encoding", None) or "?").lower()
    language = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    files = sys.getfilesystemencoding()
    terminal, width = bool(stream.isatty()), shutil.get_terminal_size((0, 0)).columns
    colours = colour_system(stream)
    section.facts |= {
        "encoding": encoding, "file_names": files, "locale": language, "terminal": terminal, "width": width or None,
        "colours": colours,
    }  # fmt: skip
    label = Text(en="characters", zh="字符编码")
    said = Text(en=f"{encoding}, {language}", zh=f"{encoding}，{language}") if language else same(encoding)
    if "utf" not in encoding or "utf" not in files:
        advice = Text(
            en="é, ✓ and Chinese may come out wrong: switch to UTF-8.",
            zh="é、✓ 和中文可能显示为乱码：请改用 UTF-8。",
        )
        command = system.set_variable(
            *(("PYTHONUTF8", "1") if system.family == "windows" else ("LC_ALL", "C.UTF-8"))
        )
        section.add("encoding", label, said, "improvable", advice, command)
    else:
        section.add("encoding", label, said)
    kinds = {
        None: Text(en="no colours", zh="无颜色"), "standard": Text(en="16 colours", zh="16 色"), "windows": Text(en="16 colours", zh="16 色"),
        "256": Text(en="256 colours", zh="256 色"), "truecolor": Text(en="all colours", zh="全彩色"),
    }  # fmt: skip
    kind = kinds.get(colours, same(str(colours)))
    value = (
        Text(en=f"{kind.en}, {width} columns", zh=f"{kind.zh}，{width} 列")
        if terminal
        else Text(en="the output goes to a file or a pipe: no colours", zh="输出到文件或管道：无颜色")
    )
    section.add("terminal", Text(en="terminal", zh="终端"), value)


def colour_system(stream: TextIO) -> str | None:
    """``standard``, ``256``, ``truecolor`` or ``windows``; None where there are no colours (or rich is missing)."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream).color_system
