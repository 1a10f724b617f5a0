"""``etude studies``: every study of the course, chapter by chapter, with its claim and its last verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.study.store import LastVerdict
    from etude.study.study import Study

ABOUT = Text(
    en="List the studies: what each claims, and what its last full run found.",
    zh="列出研究：每个研究的论断，以及最近一次完整运行的结论。",
)
_STALE = Text(en=" (stale)", zh="（已过时）")
_RECORDED = Text(en=" (recorded)", zh="（项目记录）")


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude studies", lang, ABOUT)
    parser.add_argument("chapters", nargs="*", type=int, metavar="CHAPTER", help=parser.words("only these chapters", "只列出这些章"))  # fmt: skip
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.study.catalog import list_studies
    from etude.study.recorded import recorded
    from etude.study.store import Store

    studies, last = list_studies(tuple(arguments.chapters)), Store().verdicts()
    known = recorded()
    found = {name: _verdict(study, last.get(name), known.get(name)) for name, study in studies.items()}
    for chapter in dict.fromkeys(study.chapter for study in studies.values()):
        rows: list[list[Any]] = [
            [name, study.claim, _said(found[name])]
            for name, study in studies.items()
            if study.chapter == chapter
        ]
        headings: list[Text | str] = [Text(en="study", zh="研究"), Text(en="claim", zh="论断"), Text(en="last verdict", zh="最近结论")]  # fmt: skip
        output.table(headings, rows, _chapter_title(chapter, lang))
    output.say(Text(en="Run one: etude study NAME. All: etude verify. Make one your own: etude copy NAME.",
                    zh="运行一个：etude study 名称。全部验证：etude verify。改成自己的：etude copy 名称。"))  # fmt: skip
    output.json({"studies": [_facts(study, found[name]) for name, study in studies.items()]})
    return 0


def _chapter_title(chapter: int | None, lang: Lang) -> str:
    """The heading of the chapter's lesson, or its number where there is no lesson."""
    from etude.lessons.catalog import list_lessons

    lesson = list_lessons().get(chapter or 0)
    return lesson.title(lang) if lesson else Text(en=f"Chapter {chapter}", zh=f"第 {chapter} 章").to(lang)


def _verdict(study: Study, last: LastVerdict | None, entry: dict[str, Any] | None) -> dict[str, Any]:
    """The last verdict here, or the one the project recorded; whether it is of today's code."""
    from etude.study.fingerprint import verdict_key

    key = verdict_key(study, study.knobs())
    if last is not None:
        return {"outcome": last.outcome, "sentence": last.sentence, "stale": last.key != key, "made": last.made, "recorded": False}  # fmt: skip
    if entry is None:
        return {"outcome": None, "sentence": None, "stale": False, "made": None, "recorded": False}
    said = Text(en=entry["en"], zh=entry["zh"])
    return {"outcome": entry["outcome"], "sentence": said, "stale": entry["key"] != key, "made": None, "recorded": True}  # fmt: skip


def _said(found: dict[str, Any]) -> Text:
    from etude.study.findings import outcome_text

    outcome = outcome_text(found["outcome"])
    for mark in (_RECORDED if found["recorded"] else None, _STALE if found["stale"] else None):
        outcome = Text(en=outcome.en + mark.en, zh=outcome.zh + mark.zh) if mark else outcome
    return outcome


def _facts(study: Study, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": study.name,
        "chapter": study.chapter,
        "title": study.title.en,
        "claim": study.claim.en,
        "source": study.source,
        "predicted": study.predicted,
        "budget_s": study.budget,
        "knobs": {name: field.default for name, field in study.Knobs.model_fields.items()},
        **found,
        "sentence": found["sentence"].en if found["sentence"] else None,
    }
