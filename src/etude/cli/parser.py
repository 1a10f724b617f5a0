"""argparse, speaking two languages and raising étude's errors instead of printing its own."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from etude.core.errors import EtudeError
from etude.core.text import Lang, Text


class Parser(argparse.ArgumentParser):
    """A parser whose headings and errors are in ``lang``.

    Abbreviated flags are refused: a flag misspelt must not pass for another.
    """

    def __init__(self, prog: str, lang: Lang, about: Text, epilog: Text | None = None) -> None:
        super().__init__(
            prog=prog,
            description=about.to(lang),
            epilog=epilog.to(lang) if epilog else None,
            add_help=False,
            allow_abbrev=False,
            formatter_class=_formatter(lang),
        )
        self.lang = lang
        self._positionals.title = "arguments" if lang == "en" else "参数"
        self._optionals.title = "options" if lang == "en" else "选项"
        self.add_argument("-h", "--help", action="help", help=self.words("show this help", "显示本帮助"))

    def words(self, en: str, zh: str) -> str:
        """Help text in the parser's language, safe for argparse (which expands ``%``)."""
        return Text(en=en, zh=zh).to(self.lang).replace("%", "%%")

    def format_help(self) -> str:
        """argparse puts a half-width colon behind the headings of groups, whatever their language."""
        return re.sub(r"^(.*[\u4e00-\u9fff]):$", r"\1：", super().format_help(), flags=re.MULTILINE)

    def error(self, message: str) -> NoReturn:
        raise EtudeError(
            en=f"{self.prog}: {message}. '{self.prog} --help' shows what it takes.",
            zh=f"{self.prog}：{_in_chinese(message)}。用“{self.prog} --help”查看用法。",
        )


def add_common(parser: Parser, json: bool = True, quiet: bool = True) -> None:
    """The flags that every command has."""
    parser.add_argument(
        "--lang", choices=("en", "zh"), help=parser.words("language (else the locale's)", "语言（默认随系统）")
    )
    if json:
        parser.add_argument(
            "--json",
            action="store_true",
            help=parser.words(
                "print one JSON object as the last line of stdout; all else goes to stderr",
                "在 stdout 最后一行输出一个 JSON 对象；其余内容写到 stderr",
            ),
        )
    if quiet:
        parser.add_argument(
            "--quiet", action="store_true", help=parser.words("print no progress", "不显示进度")
        )


def _formatter(lang: Lang) -> type[argparse.HelpFormatter]:
    class Formatter(argparse.HelpFormatter):
        def __init__(self, prog: str) -> None:
            super().__init__(prog, max_help_position=34, width=110)

        def add_usage(self, usage, actions, groups, prefix=None):
            super().add_usage(usage, actions, groups, prefix or ("usage: " if lang == "en" else "用法："))

    return Formatter


def _in_chinese(message: str) -> str:
    for en, zh in (
        ("unrecognized arguments:", "无法识别的参数："),
        ("the following arguments are required:", "缺少必需的参数："),
        ("invalid choice:", "无效的选项："),
        ("choose from", "可选"),
        ("expected one argument", "需要一个值"),
        ("expected at least one argument", "至少需要一个值"),
        ("invalid int value:", "不是整数："),
        ("invalid float value:", "不是数字："),
        ("not allowed with argument", "不能与此参数同时使用："),
        ("argument ", "参数 "),
    ):
        message = message.replace(en, zh)
    return re.sub(r"(参数 \S+): ", r"\1：", message).replace("： ", "：")
