"""``etude verify``: run the studies and say whether the course's claims still stand as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.cli.studying import add_measuring, check_measuring, show_measuring
from etude.core.errors import EtudeError
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.study.collect import Request
    from etude.study.findings import Finding
    from etude.study.store import Store
    from etude.study.study import Study

ABOUT = Text(
    en="Run the studies (of some chapters) and judge every claim. Exit code 0: all verdicts are as recorded; 1: a verdict "
    "changed, or a study did not run. Ctrl-C keeps what is measured.",
    zh="运行（某些章的）研究并判定每个论断。退出码 0：结论全部与记录一致；1：有结论改变，或有研究未能运行。按 Ctrl-C 会保留已测结果。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments = _read(argv, lang)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.study.store import Store

    studies = _chosen(arguments.what)
    store = None if arguments.fresh else Store()
    requests = [_request(study, arguments) for study in studies]
    folder = Path(arguments.report)
    folder.mkdir(
        parents=True, exist_ok=True
    )  # a place that cannot be written is told before anything is measured
    findings = _judge(requests, store, arguments, output)
    _tell(findings, output)
    report = _report(findings, folder, lang, arguments.quick)
    output.say(Text(en=f"Report: {report}", zh=f"报告：{report}"))
    full = not arguments.quick and arguments.seeds is None
    if arguments.record:
        _record(findings, output)
    code = _code(findings, full, output)
    output.json({"verdicts": [finding.to_json() for finding in findings], "report": str(report), "quick": arguments.quick, "exit_code": code})  # fmt: skip
    return code


def _read(argv: list[str], lang: Lang) -> Any:
    parser = Parser("etude verify", lang, ABOUT)
    parser.add_argument("what", nargs="*", metavar="CHAPTER", help=parser.words("chapters, or names of studies (else all)", "章号，或研究的名称（默认全部）"))  # fmt: skip
    add_measuring(parser)
    parser.add_argument("--quick", action="store_true", help=parser.words("tiny runs: does every part work?", "小规模运行：各部分是否都能工作？"))  # fmt: skip
    parser.add_argument("--report", metavar="DIR", default="verify", help=parser.words("the folder for report.html and verdicts.json (verify)", "report.html 与 verdicts.json 所在的文件夹（verify）"))  # fmt: skip
    parser.add_argument("--record", action="store_true", help=parser.words("in a checkout of étude: make these the recorded verdicts", "在 étude 源码目录中：把这些结论作为记录"))  # fmt: skip
    add_common(parser)
    arguments = parser.parse_args(argv)
    check_measuring(arguments)
    if arguments.record:
        _check_record(arguments)
    return arguments


def _check_record(arguments: Any) -> None:
    """Before anything is measured: can its verdicts be recorded?"""
    from etude.study.recorded import check_checkout

    if arguments.quick or arguments.seeds is not None:
        raise EtudeError(
            en="--record is for full runs: leave out --quick and --seeds.",
            zh="--record 只用于完整运行：请去掉 --quick 与 --seeds。",
        )
    check_checkout()


def _chosen(what: list[str]) -> list[Study]:
    """The studies of the chapters and of the names given, each once, chapter by chapter."""
    from etude.study.catalog import list_studies, load_study

    if not what:
        return list(list_studies().values())
    chapters = tuple(int(word) for word in what if word.isdecimal())
    found = list_studies(chapters) if chapters else {}
    for word in what:
        if not word.isdecimal():
            study = load_study(word)
            found[study.name] = study
    return sorted(found.values(), key=lambda study: study.chapter or 99)


def _request(study: Study, arguments: Any) -> Request:
    from etude.study.collect import Request

    seeds = study.quick_seeds if arguments.quick else study.seeds
    if arguments.seeds and study.seeds > 1:
        seeds = arguments.seeds
    return Request(study, study.knobs(**(study.quick if arguments.quick else {})), tuple(range(seeds)))


def _judge(requests: list[Request], store: Store | None, arguments: Any, output: Output) -> list[Finding]:
    """Every study, judged as soon as its last seed is there."""
    from etude.study.collect import collect
    from etude.study.findings import find, keep_verdict

    found: dict[str, Finding] = {}
    try:
        with show_measuring(requests, output) as show:
            for progress in collect(requests, store, arguments.jobs):
                show(progress)
                request = progress.request
                name = request.study.name
                if progress.row is not None or name in found or not (request.complete or request.failure):
                    continue
                found[name] = find(request, output.lang)
                verdict = found[name].verdict
                if store and verdict:
                    keep_verdict(store, request, verdict)
    except KeyboardInterrupt:
        done = sum(len(request.rows) for request in requests)
        total = sum(len(request.seeds) for request in requests)
        kept = done if store else 0
        output.warn(Text(en=f"Stopped: {kept} of {total} seeds are kept; the same command goes on from there.",
                         zh=f"已停止：{total} 个种子中的 {kept} 个已保存；重复同一命令即可继续。"))  # fmt: skip
        raise
    return [found[request.study.name] for request in requests]


def _tell(findings: list[Finding], output: Output) -> None:
    from etude.study.findings import outcome_text

    rows: list[list[Any]] = []
    for finding in findings:
        verdict = finding.verdict
        said = verdict.sentence if verdict else finding.failure
        outcome = (
            outcome_text(verdict.outcome)
            if verdict and not finding.failure
            else Text(en="did not run", zh="未能运行")
        )
        seconds = f"{finding.on_two_cores:.1f} / {finding.study.budget:.0f}" if finding.seconds else "–"
        rows.append(
            [finding.study.name, outcome, outcome_text(finding.study.predicted), finding.seeds, seconds, said]
        )
    headings: list[Text | str] = [
        Text(en="study", zh="研究"), Text(en="verdict", zh="结论"), Text(en="predicted", zh="预测"),
        Text(en="seeds", zh="种子数"), Text(en="s / budget", zh="秒 / 预算"), Text(en="what was found", zh="结果"),
    ]  # fmt: skip
    output.table(headings, rows)


def _report(findings: list[Finding], folder: Path, lang: Lang, quick: bool) -> Path:
    from etude.core.files import write_json, write_text
    from etude.study.report import render

    write_json(
        folder / "verdicts.json", {"quick": quick, "verdicts": [finding.to_json() for finding in findings]}
    )
    write_text(folder / "report.html", render(findings, lang, quick))
    return folder / "report.html"


def _record(findings: list[Finding], output: Output) -> None:
    from etude.study.recorded import record

    for path in record(findings):
        output.say(Text(en=f"Recorded: {path}", zh=f"已记录：{path}"))


def _code(findings: list[Finding], full: bool, output: Output) -> int:
    from etude.study.findings import outcome_text
    from etude.study.recorded import changed

    broken = [finding for finding in findings if finding.failure]
    for finding in broken:
        output.warn(finding.failure or "")
    differing = changed(findings) if full else []
    for finding, before in differing:
        now = finding.verdict.outcome if finding.verdict else None
        output.warn(Text(en=f"{finding.study.name}: the recorded verdict is '{outcome_text(before).en}', this run says '{outcome_text(now).en}'.",
                         zh=f"{finding.study.name}：记录的结论为“{outcome_text(before).zh}”，本次为“{outcome_text(now).zh}”。"))  # fmt: skip
    return 1 if broken or differing else 0
