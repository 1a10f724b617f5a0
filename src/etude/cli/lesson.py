"""``etude lesson``: the lessons; one of them, to read in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.lessons.catalog import Lesson

ABOUT = Text(
    en="List the lessons; with the number of a chapter: read it. Every claim in it names the study that shows it.",
    zh="列出课文；给出章号时阅读该章。课文中的每个论断都注明了证实它的研究。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude lesson", lang, ABOUT)
    parser.add_argument("chapter", nargs="?", type=int, metavar="CHAPTER", help=parser.words("the number of a chapter", "章号"))  # fmt: skip
    add_common(parser, quiet=False)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json)
    from etude.lessons.catalog import find_lesson, list_lessons

    if arguments.chapter is not None:
        return _read(find_lesson(arguments.chapter), output)
    lessons = list_lessons()
    rows: list[list[Any]] = [
        [chapter, lesson.title(lang), ", ".join(lesson.cites(lang))] for chapter, lesson in lessons.items()
    ]
    output.table(
        [Text(en="chapter", zh="章"), Text(en="lesson", zh="课文"), Text(en="studies", zh="研究")], rows
    )
    output.say(Text(en="Read one: etude lesson CHAPTER. Run what it shows: etude study NAME.",
                    zh="阅读一章：etude lesson 章号。运行其中的研究：etude study 名称。"))  # fmt: skip
    output.json({"lessons": [_facts(lesson, lang) for lesson in lessons.values()]})
    return 0


def _read(lesson: Lesson, output: Output) -> int:
    text = lesson.text(output.lang)
    if output.stream.isatty():
        from rich.markdown import Markdown

        output.console().print(Markdown(text))
    else:
        output.say(text)
    output.json(_facts(lesson, output.lang) | {"text": text})
    return 0


def _facts(lesson: Lesson, lang: Lang) -> dict[str, Any]:
    return {"chapter": lesson.chapter, "title": lesson.title(lang), "studies": list(lesson.cites(lang))}
