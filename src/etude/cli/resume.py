"""``etude resume``: the rest of a run that was stopped, just as it would have been."""

from __future__ import annotations

from etude.cli.ahead import no_collection
from etude.cli.clock import since_enter
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.cli.training import add_explain, how_to_use, prepare_process, summary, train_to_the_end
from etude.core.text import Lang, Text

ABOUT = Text(
    en="Carry on a run that was stopped or killed: the rest is, to the last bit, what it would have been.",
    zh="继续一次被停止或中断的训练：其余部分与从未停止时逐位相同。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude resume", lang, ABOUT)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=parser.words("a run's name or directory, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument(
        "--step",
        type=int,
        metavar="N",
        help=parser.words(
            "go on from the checkpoint of this step (else the newest)", "从这一步的检查点继续（默认最新）"
        ),
    )
    add_explain(parser)
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.train.run import open_run

    found = open_run(arguments.run)
    if found.finished and arguments.step is None:
        use = how_to_use(found)
        output.say(
            Text(
                en=f"{found.name} is finished; nothing is left to train. To use it: {use.en}",
                zh=f"{found.name} 已训练完毕，没有剩余的训练。使用方法：{use.zh}",
            )
        )
        output.json(summary(found, found.results.get("steps", 0), since_enter()))
        return 0
    with no_collection(), output.loading() as progress:
        prepare_process(found.record.get("choices", {}).get("threads"))
        from etude.train.record import version_changes
        from etude.train.start import resume_run

        session = resume_run(found, step=arguments.step, progress=progress)
    changed = version_changes(found) + session.changes
    if changed:
        output.warn(
            Text(
                en=f"This is not what the run began on, so the rest may differ in the last bits: {'; '.join(changed)}.",
                zh=f"运行环境与训练开始时不同，其余部分的末位数字可能有差别：{'；'.join(changed)}。",
            )
        )
    return train_to_the_end(session, output, since_enter, arguments.explain)
