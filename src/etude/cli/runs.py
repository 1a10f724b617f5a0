"""``etude runs``: list, show, compare and delete what was trained."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from etude.cli.figures import draw_png, figure_path
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.cli.training import test_result
from etude.core.errors import EtudeError, unknown
from etude.core.text import Lang, Text, same

if TYPE_CHECKING:
    from etude.train.run import Run

ABOUT = Text(
    en="The runs: etude runs lists them; show, compare and delete take their names.",
    zh="训练记录：etude runs 列出全部；show、compare、delete 后接名称。",
)
ACTIONS = ("list", "show", "compare", "delete")


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude runs", lang, ABOUT)
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        metavar="|".join(ACTIONS),
        help=parser.words("what to do (list)", "操作（list）"),
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="RUN",
        help=parser.words("runs' names or directories, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument(
        "--figure",
        metavar="FILE.png",
        help=parser.words("compare: save the curves here", "compare：把曲线保存到此文件"),
    )
    parser.add_argument(
        "--yes", action="store_true", help=parser.words("delete: do not ask", "delete：不再询问")
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.action not in ACTIONS:
        raise unknown(Text(en="action", zh="操作"), arguments.action, ACTIONS)
    from etude.train.run import open_run

    if arguments.action == "list":
        return _list(output)
    if not arguments.names:
        raise EtudeError(
            en=f"etude runs {arguments.action} needs the name of a run; etude runs lists them.",
            zh=f"etude runs {arguments.action} 需要训练记录的名称；用 etude runs 列出。",
        )
    found = [open_run(name) for name in arguments.names]
    if arguments.action == "show":
        return _show(found, output)
    if arguments.action == "compare":
        return _compare(found, arguments.figure, output)
    return _delete(found, arguments.yes, output)


def _list(output: Output) -> int:
    from etude.core.paths import runs_dir
    from etude.train.run import list_runs, open_run

    rows: list[list[Any]] = []
    found = []
    for path in list_runs():
        try:
            found.append(open_run(path))
        except EtudeError as error:  # one damaged run does not hide the others
            output.warn(error.text)
    for each in found:
        rows.append([each.name, each.record["data"]["name"], each.record["model"]["name"], _status(each), each.results.get("epochs", ""),
                     _result(each), each.record["created"][:16].replace("T", " ")])  # fmt: skip
    if rows:
        output.table(
            [Text(en="run", zh="名称"), Text(en="data", zh="数据"), Text(en="model", zh="模型"), Text(en="status", zh="状态"),
             Text(en="epochs", zh="轮数"), Text(en="test part", zh="测试结果"), Text(en="begun (UTC)", zh="开始时间（UTC）")],
            rows,
        )  # fmt: skip
    else:
        output.say(
            Text(
                en=f"No runs in {runs_dir()} yet; make one with: etude train",
                zh=f"{runs_dir()} 中还没有训练记录；用 etude train 开始。",
            )
        )
    output.json({"runs": [_facts(each) for each in found]})
    return 0


def _show(found: list[Run], output: Output) -> int:
    for each in found:
        record = each.record
        output.say(f"{each.name}  ({output.word(_status(each))})")
        rows: list[list[Any]] = [[name, _value(value)] for name, value in each.results.items()]
        rows += [[name, _value(value)] for name, value in record["recipe"].items() if value is not None]
        rows += [[name, _value(value)] for name, value in record["versions"].items()]
        output.table([Text(en="what", zh="项目"), Text(en="value", zh="值")], rows)
        epochs = [line for line in each.records() if line["kind"] == "epoch"]
        metrics = list(epochs[-1].get("validation") or {}) if epochs else []
        output.table(
            [
                Text(en="epoch", zh="轮"),
                Text(en="training loss", zh="训练损失"),
                *(f"validation {name}" for name in metrics),
            ],
            [
                [
                    line["epoch"] + 1,
                    *map(_value, line["train"].values()),
                    *(_value((line["validation"] or {}).get(name)) for name in metrics),
                ]
                for line in epochs
            ],
        )
        report = each.path / "report.html"
        if report.exists():
            output.say(Text(en=f"Report: {report}", zh=f"报告：{report}"))
    output.json(
        {
            "runs": [
                _facts(each) | {"recipe": each.record["recipe"], "versions": each.record["versions"]}
                for each in found
            ]
        }
    )
    return 0


def _compare(found: list[Run], figure: str | None, output: Output) -> int:
    settings = {name for each in found for name in each.record["recipe"]}
    differing = sorted(
        name for name in settings if len({str(each.record["recipe"].get(name)) for each in found}) > 1
    )
    rows: list[list[Any]] = []
    for label, take in (("data", "data"), ("model", "model")):
        rows.append([label, *(each.record[take]["name"] for each in found)])
    rows += [[name, *(_value(each.record["recipe"].get(name)) for each in found)] for name in differing]
    names = sorted({name for each in found for name in each.results})
    rows += [[name, *(_value(each.results.get(name)) for each in found)] for name in names]
    output.table(["", *(each.name for each in found)], rows)
    path = figure_path(figure)
    if path:
        from etude.train.report.compare import compare
        from etude.train.report.nouns import is_regression

        curves = [(each.name, each.records()) for each in found]
        numeric = [is_regression(each.record) for each in found]
        draw_png(lambda: compare(curves, output.lang, numeric), path, output.lang)
        output.say(Text(en=f"Curves: {path}", zh=f"曲线：{path}"))
    output.json({"runs": [_facts(each) for each in found], "differing": differing, "figure": figure})
    return 0


def _delete(found: list[Run], yes: bool, output: Output) -> int:
    for each in found:
        if not yes:
            if not sys.stdin.isatty():
                raise EtudeError(
                    en=f"Deleting {each.name} cannot be undone; add --yes to do it.",
                    zh=f"删除 {each.name} 后无法恢复；确定要删除请加 --yes。",
                )
            question = Text(en=f"Delete {each.path} for good? [y/N] ", zh=f"永久删除 {each.path} 吗？[y/N] ")
            if input(output.word(question)).strip().lower() not in ("y", "yes", "是"):
                continue
        with each.locked():
            each.delete()
        output.say(Text(en=f"Deleted {each.path}", zh=f"已删除 {each.path}"))
    output.json({"deleted": [str(each.path) for each in found if not each.path.exists()]})
    return 0


def _facts(each: Run) -> dict[str, Any]:
    record = each.record
    return {"run": str(each.path), "name": each.name, "dataset": record["data"]["name"], "model": record["model"]["name"],
            "status": record["status"], "created": record["created"], **each.results}  # fmt: skip


def _status(each: Run) -> Text:
    return Text(en="finished", zh="已完成") if each.finished else Text(en="not finished", zh="未完成")


def _result(each: Run) -> Text:
    return test_result(each.results) or same("")


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else ("–" if value is None else str(value))
