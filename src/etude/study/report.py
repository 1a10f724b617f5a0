"""The report of a verification: one HTML document with every verdict and every figure, nothing from elsewhere."""

from __future__ import annotations

from itertools import groupby

from etude.core.text import Lang, Text
from etude.study.findings import Finding, outcome_text
from etude.train.report.document import Document

_TITLE = Text(en="What the studies found", zh="研究结论")
_HEADINGS: list[Text | str] = [
    Text(en="study", zh="研究"), Text(en="verdict", zh="结论"), Text(en="predicted", zh="预测"),
    Text(en="seeds", zh="种子数"), Text(en="seconds / budget", zh="秒 / 预算"),
]  # fmt: skip
_MARKS = {"holds": "✓", "fails": "✗", "unclear": "?"}


def render(findings: list[Finding], lang: Lang, quick: bool) -> str:
    """The document. ``quick``: the verdicts are of tiny runs, and it says so."""
    document = Document(lang)
    parts = [_head(document, findings, quick), _table(document, findings)]
    for chapter, group in groupby(findings, key=lambda finding: finding.study.chapter):
        if chapter is not None:
            title = Text(en=f"Chapter {chapter}", zh=f"第 {chapter} 章")
            parts.append(f"<h2>{document.say(title)}</h2>")
        parts += [_study(document, finding) for finding in group]
    return document.page(_TITLE.to(lang), parts)


def _head(document: Document, findings: list[Finding], quick: bool) -> str:
    counts = {
        outcome: sum(finding.verdict is not None and finding.verdict.outcome == outcome for finding in findings)
        for outcome in _MARKS
    }
    said = " · ".join(f"{_MARKS[o]} {document.say(outcome_text(o))} {n}" for o, n in counts.items())
    note = Text(
        en="A quick run: it shows that every part works; its verdicts decide nothing.",
        zh="快速运行：只表明各部分都能工作，其结论不作数。",
    )
    small = f'<p class="note">{document.say(note)}</p>' if quick else ""
    return f'<header><p class="name">étude</p><h1 style="font-size:2.4rem">{document.say(_TITLE)}</h1><p class="lead">{said}</p>{small}</header>'


def _table(document: Document, findings: list[Finding]) -> str:
    rows = [
        [
            f"{finding.study.name}",
            _outcome(document, finding),
            outcome_text(finding.study.predicted).to(document.lang),
            str(finding.seeds) if finding.study.seeds > 1 else "–",
            f"{finding.on_two_cores:.1f} / {finding.study.budget:.0f}" if finding.seconds else "–",
        ]
        for finding in findings
    ]
    return document.table(_HEADINGS, rows)


def _study(document: Document, finding: Finding) -> str:
    study = finding.study
    said = " ".join(
        text.to(document.lang)
        for text in (finding.verdict.sentence if finding.verdict else None, finding.failure)
        if text
    )
    stop = {"en": ". ", "zh": "。"}[document.lang]
    body = f"<p>{document.say(study.claim)}</p>"
    if finding.picture is not None:
        body += f"<figure>{document.image(finding.picture, study.claim)}</figure>"
    body += (
        f"<p><b>{document.say(_outcome(document, finding))}{stop}</b>{document.say(said)}</p>"
        f'<p class="note"><code>etude study {study.name}</code> · {document.say(study.source)}</p>'
    )
    return document.section(study.title, body)


def _outcome(document: Document, finding: Finding) -> str:
    if finding.verdict is None or finding.failure:
        return Text(en="did not run", zh="未能运行").to(document.lang)
    return f"{_MARKS[finding.verdict.outcome]} {outcome_text(finding.verdict.outcome).to(document.lang)}"
