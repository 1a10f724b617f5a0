"""Finding lessons and reading what is in them: title, citations, code, commands.

A lesson is a folder ``chNN_topic`` with ``en.md`` and ``zh.md``. A citation is a link to a study's file; it is
the only tie between the text and the experiments, so `check_citations` refuses one that leads nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import etude
from etude.core.errors import EtudeError, unknown
from etude.core.text import Lang, Text
from etude.study.catalog import study_files

_FOLDER = re.compile(r"ch(\d\d)_\w+")
_CITATION = re.compile(r"\]\(\.\./\.\./studies/(ch\d\d_\w+/(\w+)\.py)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND_IN_TEXT = re.compile(r"`(etude [^`\n]+)`")


@dataclass(frozen=True)
class Lesson:
    """The lesson of one chapter.

    Attributes:
        name: the folder's name, such as ``ch04_regression``.
        chapter: its number.
        folder: where ``en.md`` and ``zh.md`` are.
    """

    name: str
    chapter: int
    folder: Path

    def text(self, lang: Lang) -> str:
        """The whole lesson, in Markdown.

        Raises:
            EtudeError: it has not been written in ``lang``.
        """
        path = self.folder / f"{lang}.md"
        if not path.is_file():
            raise EtudeError(
                en=f"The lesson {self.name} has no {path.name}; every lesson is written in both languages.",
                zh=f"课文 {self.name} 缺少 {path.name}；每篇课文都要用两种语言写成。",
            )
        return path.read_text(encoding="utf-8")

    def title(self, lang: Lang) -> str:
        """The heading it starts with, such as "Chapter 4 · Regression"."""
        return self.text(lang).partition("\n")[0].removeprefix("# ").strip()

    def citations(self, lang: Lang) -> tuple[str, ...]:
        """Each link to a study, in the order of the text: ``chNN_topic/NAME.py``, below the folder of studies."""
        return tuple(file for file, _ in _CITATION.findall(self.text(lang)))

    def cites(self, lang: Lang) -> tuple[str, ...]:
        """The studies that it cites by name, each once, in the order of the text."""
        return tuple(dict.fromkeys(name for _, name in _CITATION.findall(self.text(lang))))

    def code(self, lang: Lang) -> list[tuple[str, str | None]]:
        """Its Python blocks in order, each with the output shown right after it; None where none is shown.

        The blocks are meant to run one after another in one namespace.
        """
        text, found = self.text(lang), []
        blocks = list(_FENCE.finditer(text))
        for block, after in zip(blocks, [*blocks[1:], None], strict=True):
            if block[1] == "python":
                shown = after and after[1] == "text" and not text[block.end() : after.start()].strip()
                found.append((block[2], after[2] if after and shown else None))
        return found

    def commands(self, lang: Lang) -> list[str]:
        """Every ``etude …`` that the reader is told to type: in ``sh`` blocks, or between backquotes in the text."""
        found = []
        text = self.text(lang)
        for block in _FENCE.finditer(text):
            if block[1] == "sh":
                found += [(block.start(), line) for line in block[2].splitlines() if line.strip()]
        prose = _FENCE.sub(lambda block: " " * len(block[0]), text)  # places stay as they are
        found += [(match.start(), match[1]) for match in _COMMAND_IN_TEXT.finditer(prose)]
        return [command for _, command in sorted(found, key=lambda each: each[0])]


def lessons_dir() -> Path:
    """The folder that the course's lessons are in."""
    return Path(next(iter(etude.__path__))) / "lessons"


def list_lessons() -> dict[int, Lesson]:
    """Every lesson by its chapter, in order."""
    found: dict[int, Lesson] = {}
    for folder in sorted(lessons_dir().glob("ch??_*")):
        match = _FOLDER.fullmatch(folder.name)
        if not match or not any(folder.glob("*.md")):
            continue
        chapter = int(match[1])
        if chapter in found:
            raise EtudeError(
                en=f"Chapter {chapter} has two lessons, {found[chapter].name} and {folder.name}; keep one folder.",
                zh=f"第 {chapter} 章有两篇课文：{found[chapter].name} 与 {folder.name}；请只保留一个文件夹。",
            )
        found[chapter] = Lesson(folder.name, chapter, folder)
    return found


def find_lesson(chapter: int) -> Lesson:
    """The lesson of ``chapter``.

    Raises:
        EtudeError: there is none.
    """
    lessons = list_lessons()
    if chapter not in lessons:
        there = ", ".join(map(str, lessons))
        raise EtudeError(
            en=f"Chapter {chapter} has no lesson; those with one: {there or 'none yet'}.",
            zh=f"第 {chapter} 章还没有课文；已有课文的章：{there.replace(', ', '、') or '无'}。",
        )
    return lessons[chapter]


def uncited() -> list[str]:
    """The names of the studies that no lesson cites, in either language."""
    cited = {name for lesson in list_lessons().values() for lang in ("en", "zh") for name in lesson.cites(lang)}
    return [name for name in study_files() if name not in cited]


def check_citations() -> None:
    """That text and experiments belong together.

    Raises:
        EtudeError: a lesson cites a study that no file has, or a study is cited by no lesson.
    """
    files = study_files()
    there = {f"{path.parent.name}/{path.name}" for path in files.values()}
    for lesson in list_lessons().values():
        for lang in ("en", "zh"):
            for file in lesson.citations(lang):
                if file not in there:
                    raise _cites_nothing(lesson, f"{lang}.md", file, files)
    if left := uncited():
        raise EtudeError(
            en=f"No lesson cites {', '.join(left)}; link each study at the claim it shows, in en.md and zh.md.",
            zh=f"没有课文引用 {'、'.join(left)}；请在 en.md 与 zh.md 中相应的论断处给出链接。",
        )


def _cites_nothing(lesson: Lesson, page: str, file: str, files: dict[str, Path]) -> EtudeError:
    name = Path(file).stem
    if name in files:  # the study is there, in another folder
        where = f"{files[name].parent.name}/{name}.py"
        return EtudeError(
            en=f"{lesson.name}/{page} links to {file}, but the study is in {where}; mend the link.",
            zh=f"{lesson.name}/{page} 链接到 {file}，而该研究位于 {where}；请修正链接。",
        )
    said = unknown(Text(en="study", zh="研究"), name, files).text
    return EtudeError(en=f"{lesson.name}/{page}: {said.en}", zh=f"{lesson.name}/{page}：{said.zh}")
