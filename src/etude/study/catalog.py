"""Finding studies: every ``chNN_topic/NAME.py`` in the folder of studies, or a file of a person's own."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import etude
from etude.core.errors import EtudeError, unknown
from etude.core.text import Text
from etude.study.study import Study

_CHAPTER = re.compile(r"ch(\d\d)_\w+")


def studies_dir() -> Path:
    """The folder that the course's studies are in."""
    return Path(next(iter(etude.__path__))) / "studies"


def study_files(chapters: tuple[int, ...] = ()) -> dict[str, Path]:
    """Every study's file by its name, chapter by chapter; only those of ``chapters`` where some are given.

    Raises:
        EtudeError: a chapter has no study, or two studies have one name.
    """
    found: dict[str, Path] = {}
    for folder in sorted(studies_dir().glob("ch??_*")):
        for path in sorted(folder.glob("[a-z]*.py")):
            if path.stem in found:
                raise EtudeError(
                    en=f"Two studies are named '{path.stem}': {found[path.stem]} and {path}; rename one of the files.",
                    zh=f"有两个研究同名“{path.stem}”：{found[path.stem]} 与 {path}；请重命名其中一个文件。",
                )
            found[path.stem] = path
    known = sorted({chapter_of(path) for path in found.values()})
    for chapter in chapters:
        if chapter not in known:
            raise unknown(Text(en="chapter with studies", zh="含有研究的章节"), str(chapter), map(str, known))
    return {name: path for name, path in found.items() if not chapters or chapter_of(path) in chapters}


def chapter_of(path: Path) -> int:
    """The number of the chapter whose folder holds ``path``; 0 for a file that is elsewhere."""
    match = _CHAPTER.fullmatch(path.parent.name)
    return int(match.group(1)) if match else 0


def load_study(name: str | Path) -> Study:
    """The study called ``name``, or the one in a file of your own (``./mine.py``).

    Raises:
        EtudeError: there is no such study or file, or the file is not a study.
    """
    if str(name).endswith(".py"):
        return _own(Path(name))
    files = study_files()
    if str(name) not in files:
        raise unknown(Text(en="study", zh="研究"), str(name), files)
    path = files[str(name)]
    module = importlib.import_module(f"etude.studies.{path.parent.name}.{path.stem}")
    return Study(module, path, chapter_of(path))


def list_studies(chapters: tuple[int, ...] = ()) -> dict[str, Study]:
    """Every study of the course (of these chapters), by its name, chapter by chapter."""
    return {name: load_study(name) for name in study_files(chapters)}


def _own(path: Path) -> Study:
    """A study from a file anywhere. Its own traceback is kept from people: the line that is wrong is named."""
    path = path.expanduser().absolute()
    if not path.is_file():
        raise EtudeError(
            en=f"There is no file {path}; 'etude copy NAME' writes a study of the course as a file of your own.",
            zh=f"文件 {path} 不存在；可用“etude copy 名称”把课程中的研究写成自己的文件。",
        )
    spec = importlib.util.spec_from_file_location(f"etude_own_study_{path.stem}", path)
    if spec is None or spec.loader is None or not path.stem.isidentifier():
        raise EtudeError(
            en=f"{path.name} cannot be a study's name; use letters, digits and _ as in my_study.py.",
            zh=f"{path.name} 不能作为研究的文件名；请使用字母、数字和下划线，例如 my_study.py。",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic looks up a class's annotations through its module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise EtudeError(
            en=f"{path} could not be loaded: {_where(error, path)}.",
            zh=f"无法载入 {path}：{_where(error, path)}。",
        ) from error
    return Study(module, path, None)


def _where(error: Exception, path: Path) -> str:
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    said = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    return f"line {line}, {said}" if line else said
