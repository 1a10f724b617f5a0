"""The verdicts that the project stands by: those of its last full run, kept beside the studies and shown in docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etude.core.errors import EtudeError
from etude.core.files import read_json, write_json, write_text
from etude.core.text import Lang, Text
from etude.study.catalog import chapter_of, list_studies, load_study, studies_dir, study_files
from etude.study.findings import Finding
from etude.study.fingerprint import verdict_key
from etude.study.verdict import OUTCOMES, Outcome

_COLUMNS = Text(
    en="| study | verdict | predicted | what was found | seeds |\n|---|---|---|---|---|",
    zh="| 研究 | 结论 | 预测 | 结果 | 种子数 |\n|---|---|---|---|---|",
)
_HEAD = Text(
    en="# Verdicts\n\nWhat the last full run of every study found: 99 % intervals over seeds against the margin that each "
    "study sets. Made by `etude verify --record`; a full `etude verify` exits with 1 when a verdict changes.",
    zh="# 研究结论\n\n每个研究最近一次完整运行的结果：以各种子上的 99% 区间与该研究设定的界限相比。"
    "由 `etude verify --record` 生成；结论有变时，完整的 `etude verify` 以 1 退出。",
)
_CHAPTER = Text(en="Chapter {number}", zh="第 {number} 章")


def recorded() -> dict[str, dict[str, Any]]:
    """The recorded verdict of every study that has one: ``outcome``, the sentence in ``en`` and ``zh``, ``key``, …"""
    path = _path()
    return read_json(path)["studies"] if path.exists() else {}


def changed(findings: list[Finding]) -> list[tuple[Finding, Outcome]]:
    """The findings whose outcome is not the recorded one, with what was recorded. A new study has none."""
    before = recorded()
    return [
        (finding, before[finding.study.name]["outcome"])
        for finding in findings
        if finding.verdict
        and finding.study.name in before
        and before[finding.study.name]["outcome"] != finding.verdict.outcome
    ]


def stale() -> list[str]:
    """The studies whose recorded verdict is of other code than today's, or that have none."""
    before = recorded()
    return [
        name
        for name, study in list_studies().items()
        if before.get(name, {}).get("key") != verdict_key(study, study.knobs())
    ]


def check_checkout() -> None:
    """Verdicts are recorded in the project itself.

    Raises:
        EtudeError: étude is not a checkout.
    """
    if not _docs().is_dir():
        raise EtudeError(
            en=f"--record is for a checkout of étude: {_docs()} is not there. Leave it out.",
            zh=f"--record 只用于 étude 的源码目录：{_docs()} 不存在。请去掉此选项。",
        )


def record(findings: list[Finding]) -> list[Path]:
    """Make these verdicts the recorded ones, and write docs/verdicts; those of other studies stay.

    Raises:
        EtudeError: a study has no verdict.
    """
    studies = {name: entry for name, entry in recorded().items() if name in study_files()}
    for finding in findings:
        if finding.verdict is None:
            raise EtudeError(
                en=f"{finding.study.name} has no verdict to record: {finding.failure}",
                zh=f"{finding.study.name} 没有可记录的结论：{finding.failure.to('zh') if finding.failure else ''}",
            )
        studies[finding.study.name] = {
            "outcome": finding.verdict.outcome, "en": finding.verdict.sentence.en, "zh": finding.verdict.sentence.zh,
            "seeds": finding.seeds, "key": verdict_key(finding.study, finding.study.knobs()),
        }  # fmt: skip
    ordered = {name: studies[name] for name in study_files() if name in studies}
    write_json(_path(), {"studies": ordered})
    written = [_path()]
    for lang in ("en", "zh"):
        written.append(_docs() / f"verdicts.{lang}.md")
        write_text(written[-1], table(lang))
    return written


def table(lang: Lang) -> str:
    """The recorded verdicts as a Markdown page."""
    lines, files, chapter = [_HEAD.to(lang)], study_files(), -1
    for name, entry in recorded().items():
        path = files[name]
        if chapter_of(path) != chapter:
            chapter = chapter_of(path)
            lines += ["", "## " + _CHAPTER.format(number=chapter).to(lang), "", _COLUMNS.to(lang)]
        study = load_study(name)
        place = f"src/etude/studies/{path.parent.name}/{path.name}"
        found = entry[lang].replace("|", "\\|")
        lines.append(
            f"| [{name}](../{place}) | **{OUTCOMES[entry['outcome']].to(lang)}** | {OUTCOMES[study.predicted].to(lang)} "  # type: ignore[index]
            f"| {found} | {entry['seeds'] if study.seeds > 1 else '–'} |"
        )
    return "\n".join(lines) + "\n"


def _path() -> Path:
    return studies_dir() / "verdicts.json"


def _docs() -> Path:
    return studies_dir().parents[2] / "docs"
