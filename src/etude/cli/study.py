"""``etude study NAME``: run one study with knobs of one's own; its verdict and its figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.figures import STUDY_FIGURES, figure_path, save_figure
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.cli.studying import add_measuring, check_measuring, show_measuring
from etude.core.errors import EtudeError
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.study.collect import Request
    from etude.study.store import Store
    from etude.study.study import Study
    from etude.study.verdict import Verdict

ABOUT = Text(
    en="Run one study: etude study NAME, or etude study ./mine.py for a file of your own. 'etude study NAME --help' shows its knobs.",
    zh="运行一个研究：etude study 名称，或 etude study ./mine.py 运行自己的文件。用“etude study 名称 --help”查看其旋钮。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    name = _name(argv)
    if name is None:
        parser = _parser("etude study", lang, ABOUT)
        parser.add_argument("name", metavar="NAME", help=parser.words("a study (see etude studies) or a .py file", "研究的名称（见 etude studies）或 .py 文件"))  # fmt: skip
        parser.parse_args(argv)  # shows the help, or says that the name is missing
    from etude.study.catalog import load_study
    from etude.study.findings import keep_verdict
    from etude.study.store import Store

    study = load_study(str(name))
    arguments, knobs = _read(argv, study, lang)
    output = Output(lang, arguments.json, arguments.quiet)
    figure = figure_path(arguments.figure, STUDY_FIGURES)
    store = None if arguments.fresh else Store()
    request = _measure(study, knobs, store, arguments, output)
    verdict = study.verdict(request.all_rows())
    if store:
        keep_verdict(store, request, verdict)
    where = _draw(study, request, figure, lang)
    _tell(study, request, verdict, where, output)
    return 0


def _name(argv: list[str]) -> str | None:
    """The first word that is no flag, nor the value of ``--lang``."""
    before = ""
    for word in argv:
        if not word.startswith("-") and before != "--lang":
            return word
        before = word
    return None


def _parser(prog: str, lang: Lang, about: Text) -> Parser:
    parser = Parser(prog, lang, about)
    add_measuring(parser)
    parser.add_argument(
        "--figure", metavar="FILE", help=parser.words("save the figure here: .png, .svg or .pdf (else figures/NAME.png)", "把图保存到此文件：.png、.svg 或 .pdf（默认 figures/名称.png）"),
    )  # fmt: skip
    add_common(parser)
    return parser


def _read(argv: list[str], study: Study, lang: Lang) -> tuple[Any, dict[str, Any]]:
    from etude.cli.flags import add_settings, chosen

    about = Text(en=f"{study.title.en}. {study.claim.en}", zh=f"{study.title.zh}。{study.claim.zh}")
    parser = _parser(f"etude study {study.name}", lang, about)
    parser.add_argument("name", metavar="NAME", help=parser.words("this study", "本研究"))
    add_settings(parser, study.Knobs, parser.words("knobs", "旋钮"), ranges=True)
    arguments = parser.parse_args(argv)
    check_measuring(arguments)
    return arguments, chosen(arguments, study.Knobs)


def _measure(
    study: Study, turned: dict[str, Any], store: Store | None, arguments: Any, output: Output
) -> Request:
    from etude.study.collect import Request, collect

    knobs = study.knobs(**turned)
    seeds = arguments.seeds or study.seeds
    if study.seeds == 1 and seeds > 1:
        output.warn(Text(en=f"{study.name} is about facts, which are the same for every seed; one is measured.",
                         zh=f"{study.name} 检查的是事实，与种子无关；只测量一次。"))  # fmt: skip
        seeds = 1
    output.say(study.title.to(output.lang))
    output.say(f"  {output.word(study.claim)}")
    request = Request(study, knobs, tuple(range(seeds)))
    try:
        with show_measuring([request], output) as show:
            for progress in collect([request], store, arguments.jobs):
                show(progress)
                if request.failure:
                    raise EtudeError(request.failure.en, request.failure.zh)
    except KeyboardInterrupt:
        output.warn(Text(en=f"Stopped: {len(request.rows)} of {seeds} seeds are kept; the same command goes on.",
                         zh=f"已停止：{seeds} 个种子中的 {len(request.rows)} 个已保存；重复同一命令即可继续。"))  # fmt: skip
        raise
    return request


def _draw(study: Study, request: Request, path: Path | None, lang: Lang) -> Path:
    if path is None:
        path = Path("figures") / f"{study.name}.png"
        path.parent.mkdir(exist_ok=True)
    save_figure(study.figure(request.all_rows(), lang), path, lang)
    return path


def _tell(study: Study, request: Request, verdict: Verdict, figure: Path, output: Output) -> None:
    from etude.study.rows import encode
    from etude.study.verdict import OUTCOMES

    outcome = OUTCOMES[verdict.outcome]
    output.say(
        Text(
            en=f"  → {outcome.en.upper()}. {verdict.sentence.en}", zh=f"  → {outcome.zh}。{verdict.sentence.zh}"
        )
    )
    turned = {
        name: value
        for name, value in request.knobs.model_dump().items()
        if value != study.Knobs.model_fields[name].default
    }
    if turned:
        named = ", ".join(f"{name} = {value}" for name, value in turned.items())
        output.say(Text(en=f"  (with {named}; the claim itself is about the knobs as they were)", zh=f"  （此时 {named}；论断本身针对旋钮的默认值）"))  # fmt: skip
    elif verdict.outcome != study.predicted:
        foreseen = OUTCOMES[study.predicted]  # type: ignore[index]
        output.say(Text(en=f"  The literature let expect: {foreseen.en} ({study.source}).", zh=f"  按文献预期：{foreseen.zh}（{study.source}）。"))  # fmt: skip
    if request.recalled == len(request.seeds):
        output.say(
            Text(en="  (from the store; --fresh measures again)", zh="  （取自结果库；加 --fresh 重新测量）")
        )
    output.say(Text(en=f"  Figure: {figure}", zh=f"  图：{figure}"))
    output.json(
        {
            "study": study.name,
            "knobs": request.knobs.model_dump(),
            "seeds": list(request.seeds),
            "recalled": request.recalled,
            "verdict": verdict.to_json(),
            "predicted": study.predicted,
            "seconds": round(request.seconds, 2),
            "figure": str(figure),
            "rows": [encode(row) for row in request.all_rows()],
        }
    )
