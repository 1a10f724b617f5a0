"""What holds for every lesson; a new folder is tested by being there. And that the guards refuse."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import shutil
import warnings

import pytest

from etude.cli.main import COMMANDS
from etude.cli.study import _read as read_study_command
from etude.core.errors import EtudeError
from etude.lessons import catalog
from etude.lessons.catalog import Lesson, check_citations, find_lesson, list_lessons, uncited
from etude.study.catalog import load_study, studies_dir, study_files

every_lesson = pytest.mark.parametrize("lesson", list_lessons().values(), ids=lambda lesson: lesson.name)
every_language = pytest.mark.parametrize("lang", ["en", "zh"])
_CHINESE = re.compile("[\u4e00-\u9fff]")
_HALF_WIDTH = re.compile("[\u4e00-\u9fff][,:;?!()\"']|[,:;?!()\"'][\u4e00-\u9fff]|[\u4e00-\u9fff]\\.(?!\\w)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FORMULA = re.compile(r"^\$\$(.*?)[ .,]*\$\$$", re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^(#+) (.+)$", _FENCED.sub("", text), re.MULTILINE)


def deeds(code: str) -> tuple[str, list[str]]:
    """What the code does, comments and words left out; and its strings, those inside f-strings excepted."""
    tree, words = ast.parse(code), []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and any(
            isinstance(part, ast.FormattedValue) for part in node.values
        ):
            node.values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.append(node.value)
            node.value = ""
    return ast.dump(tree), words


def run(lesson: Lesson, lang: str) -> list[tuple[str, str, str]]:
    """Runs every block in one namespace: (code, what it printed, what the lesson shows)."""
    names: dict = {}
    found = []
    for code, shown in lesson.code(lang):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("error")  # a reader would see it and wonder
            exec(compile(code, f"{lesson.name}/{lang}.md", "exec"), names)
        found.append((code, printed.getvalue(), shown or ""))
    return found


@every_lesson
@every_language
def test_it_begins_with_its_chapter_and_ends_with_exercises(lesson, lang):
    found = headings(lesson.text(lang))
    first = rf"Chapter {lesson.chapter} · \S.*" if lang == "en" else rf"第 {lesson.chapter} 章 \S.*"
    assert re.fullmatch(first, lesson.title(lang))
    assert [level for level, _ in found].count("#") == 1
    assert found[0] == ("#", lesson.title(lang))
    assert found[-1] == ("##", "Exercises" if lang == "en" else "练习")
    for section in re.split(r"^## .*$", lesson.text(lang), flags=re.MULTILINE):
        assert len(section) > (300 if lang == "en" else 100), "no empty headings"
    exercises = lesson.text(lang).rpartition("\n## ")[2]
    assert len(re.findall(r"^\d+\. ", exercises, re.MULTILINE)) >= 3
    assert lesson.cites(lang)


@every_lesson
def test_both_languages_have_the_same_parts(lesson):
    en, zh = lesson.text("en"), lesson.text("zh")
    assert [level for level, _ in headings(en)] == [level for level, _ in headings(zh)]
    assert lesson.citations("en") == lesson.citations("zh")
    assert lesson.commands("en") == lesson.commands("zh")
    assert [re.sub(r"\s", "", f) for f in _FORMULA.findall(en)] == [
        re.sub(r"\s", "", f) for f in _FORMULA.findall(zh)
    ]
    assert len(re.findall(r"^\d+\. ", en, re.MULTILINE)) == len(re.findall(r"^\d+\. ", zh, re.MULTILINE))
    assert len(lesson.code("en")) == len(lesson.code("zh"))
    for (english, shown), (chinese, shown_too) in zip(lesson.code("en"), lesson.code("zh"), strict=True):
        does, words = deeds(english)
        does_too, words_too = deeds(chinese)
        assert does == does_too
        assert all(a == b or _CHINESE.search(b) for a, b in zip(words, words_too, strict=True))
        assert (shown is None) == (shown_too is None)


@every_lesson
@every_language
def test_its_code_runs_and_prints_what_is_shown(lesson, lang, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code, printed, shown in run(lesson, lang):
        assert printed == shown, code
    assert not list(tmp_path.iterdir()), "a lesson's code leaves no files behind"


@every_lesson
@every_language
def test_its_code_is_short(lesson, lang):
    for code, _ in lesson.code(lang):
        assert len([line for line in code.splitlines() if line.strip()]) <= 12, code
        assert max(map(len, code.splitlines())) <= 112


@every_lesson
@every_language
def test_each_study_that_it_cites_has_its_command(lesson, lang):
    commands = [shlex.split(command) for command in lesson.commands(lang)]
    for name in lesson.cites(lang):
        assert ["etude", "study", name] in commands, name


@every_lesson
@every_language
def test_its_commands_can_be_typed_as_they_stand(lesson, lang):
    commands = [shlex.split(command, comments=True) for command in lesson.commands(lang)]
    assert commands
    for program, command, *rest in commands:
        assert program == "etude"
        assert command in COMMANDS
        if command == "study":
            check_knobs(rest, lang)
        if command == "copy":
            load_study(rest[0])
        if command == "lesson":
            find_lesson(int(rest[0]))
        if command == "verify":
            study_files(tuple(int(word) for word in rest if word.isdigit()))


@every_lesson
@every_language
def test_its_flags_belong_to_the_study_spoken_of(lesson, lang):
    """``--depth 12`` alone between backquotes is meant for the study that was named last."""
    study = None
    for said in re.findall(r"`([^`\n]+)`|\[(\w+)\]\(\.\./\.\./studies", _FENCED.sub("", lesson.text(lang))):
        words = shlex.split(said[0]) if said[0].startswith(("etude study ", "--")) else []
        if said[1] or words[:2] == ["etude", "study"]:
            study = said[1] or words[2]
        elif words and words[0].startswith("--") and len(words) > 1:
            check_knobs([study, *words], lang)


def check_knobs(arguments: list[str], lang: str) -> None:
    """Raises where the study, a knob, or a knob's value would be refused."""
    study = load_study(arguments[0])
    _, turned = read_study_command(arguments, study, lang)
    study.knobs(**turned)


@every_lesson
@every_language
def test_its_links_lead_somewhere(lesson, lang):
    for target in _LINK.findall(_FENCED.sub("", lesson.text(lang))):
        if not target.startswith(("http://", "https://")):
            assert (lesson.folder / target.partition("#")[0]).is_file(), target


@every_lesson
def test_its_words_are_in_their_language(lesson):
    assert not _CHINESE.search(lesson.text("en"))
    text = lesson.text("zh")
    code = "\n".join(_FENCED.findall(text))  # comments and printed words are Chinese too
    prose = re.sub(r"`[^`\n]+`|\$[^$\n]+\$", "码", _FORMULA.sub("", _FENCED.sub("", text)))
    prose = _LINK.sub("码", prose).replace("**", "")
    assert len(_CHINESE.findall(prose)) > 500
    for words in (prose, *re.findall(r"#.*|\"[^\"\n]*\"", code)):
        wrong = _HALF_WIDTH.search(words.strip('"'))
        assert not wrong, words[max(0, wrong.start() - 20) : wrong.end() + 20]


def test_every_study_is_cited_and_every_citation_is_a_study():
    check_citations()
    assert uncited() == []


def test_chapters_are_found():
    lessons = list_lessons()
    assert list(lessons) == sorted(lessons)
    for chapter, lesson in lessons.items():
        assert find_lesson(chapter) == lesson
        assert lesson.name.startswith(f"ch{chapter:02d}_")
    with pytest.raises(EtudeError, match="Chapter 99 has no lesson") as refused:
        find_lesson(99)
    assert "第 99 章" in refused.value.text.zh
    assert refused.value.text.en.endswith(".")


# The guards, on lessons made for them.


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes the lesson of a chapter that cites every study, so that a test may break one thing."""
    monkeypatch.setattr(catalog, "lessons_dir", lambda: tmp_path)

    def write(more: str = "", leave_out: str = "", folder: str = "ch04_regression") -> Lesson:
        at = tmp_path / folder
        at.mkdir()
        links = "\n".join(
            f"[{name}](../../studies/{path.relative_to(studies_dir()).as_posix()})"
            for name, path in study_files().items()
            if name != leave_out
        )
        for lang, title in (("en", "# Chapter 4 · Regression"), ("zh", "# 第 4 章 回归")):
            (at / f"{lang}.md").write_text(f"{title}\n\n{links}\n{more}\n", encoding="utf-8")
        return Lesson(folder, int(folder[2:4]), at)

    return write


def test_a_lesson_that_cites_every_study_is_accepted(made):
    lesson = made()
    assert list_lessons() == {4: lesson}
    assert lesson.cites("en") == tuple(study_files())
    check_citations()


def test_a_citation_that_leads_nowhere_is_refused(made):
    made(more="[stepsize](../../studies/ch04_regression/stepsize.py)")
    with pytest.raises(EtudeError, match="no study named 'stepsize'; did you mean step_size") as refused:
        check_citations()
    assert "ch04_regression/en.md" in refused.value.text.en
    assert "没有名为“stepsize”的研究" in refused.value.text.zh


def test_a_citation_of_the_wrong_chapter_is_refused(made):
    made(more="[step_size](../../studies/ch05_fully_connected/step_size.py)")
    with pytest.raises(EtudeError, match="the study is in ch04_regression/step_size"):
        check_citations()


def test_a_study_that_no_lesson_cites_is_refused(made):
    made(leave_out="step_size")
    assert uncited() == ["step_size"]
    with pytest.raises(EtudeError, match="No lesson cites step_size"):
        check_citations()


def test_a_new_study_that_no_lesson_cites_is_reported(tmp_path, monkeypatch):
    shutil.copytree(studies_dir(), tmp_path / "studies", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(
        studies_dir() / "ch04_regression/step_size.py", tmp_path / "studies/ch04_regression/brand_new.py"
    )
    monkeypatch.setattr("etude.study.catalog.studies_dir", lambda: tmp_path / "studies")
    assert "brand_new" in uncited()


def test_a_lesson_in_one_language_is_refused(made):
    lesson = made()
    (lesson.folder / "zh.md").unlink()
    with pytest.raises(EtudeError, match=r"has no zh\.md"):
        check_citations()


def test_two_lessons_of_one_chapter_are_refused(made):
    made()
    made(folder="ch04_other")
    with pytest.raises(EtudeError, match="Chapter 4 has two lessons"):
        list_lessons()


def test_code_with_its_output_and_commands_are_read(made):
    lesson = made(
        more="```python\nprint(1)\n```\n\n```text\n1\n```\n\n```python\nx = 2\n```\n\nso\n\n```text\nnot its output\n```\n\n"
        "```sh\netude study step_size\netude verify 4\n```\n\nand `etude copy step_size`, not `x`\n"
    )
    assert lesson.code("en") == [("print(1)\n", "1\n"), ("x = 2\n", None)]
    assert lesson.commands("en") == ["etude study step_size", "etude verify 4", "etude copy step_size"]


@pytest.mark.parametrize("knobs", [["--no-such-knob", "1"], ["--steps", "-5"], ["--steps", "many"]])
def test_a_command_with_a_knob_that_is_not_there_is_refused(knobs):
    check_knobs(["step_size", "--steps", "30"], "en")
    with pytest.raises(EtudeError):
        check_knobs(["step_size", *knobs], "en")


def test_output_that_differs_is_seen(made):
    lesson = made(more="```python\nprint(1)\n```\n\n```text\n2\n```\n")
    assert run(lesson, "en") == [("print(1)\n", "1\n", "2\n")]


def test_code_that_differs_between_languages_is_seen():
    assert deeds("x = f(1)  # one")[0] == deeds("x = f(1)  # 一")[0]
    assert deeds('print(f"{x:.1f} steps")')[0] == deeds('print(f"{x:.1f} 步")')[0]
    assert deeds('print(f"{x:.1f} steps")') != deeds('print(f"{x:.2f} 步")')
    assert deeds("x = f(1)")[0] != deeds("x = f(2)")[0]
