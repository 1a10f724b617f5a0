"""``etude evaluate``: a trained run measured on its test part, or on other data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.train.report.statistics import ClassRow

ABOUT = Text(
    en="Measure a run on the test part of its data, or on other data: a data set or your own folder CLASS/*.jpg.",
    zh="在原数据的测试集上评估，或在其他数据上评估：数据集名称或自己的文件夹 类别/*.jpg。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude evaluate", lang, ABOUT)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=parser.words("a run's name or directory, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help=parser.words("data (else the run's own)", "数据（默认为训练时的数据）"),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help=parser.words(
            "where downloaded data sets are (else $ETUDE_DATA)", "已下载数据集的位置（默认 $ETUDE_DATA）"
        ),
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.train.predict import Predictor, examples_to_measure
    from etude.train.report.statistics import per_class_table, wilson_interval

    predictor = Predictor(arguments.run)
    with output.loading() as progress:
        examples, name, findings = examples_to_measure(predictor, arguments.data, arguments.data_dir, progress)
    for finding in findings:
        output.warn(finding)
    metrics = predictor.measure(examples)
    probabilities, labels = predictor.predict(examples)
    rows = per_class_table(labels, probabilities.argmax(1), predictor.classes)
    low, high = wilson_interval(round(metrics["accuracy"] * len(labels)), len(labels))
    _tell(predictor.run.name, name, metrics, len(labels), (low, high), rows, output)
    output.json(
        {
            "run": str(predictor.run.path),
            "dataset": name,
            "examples": len(labels),
            "test_accuracy": metrics["accuracy"],
            "test_loss": metrics["loss"],
            "interval": [low, high],
            "classes": {
                row.name: {
                    "support": row.support,
                    "precision": row.precision,
                    "recall": row.recall,
                    "f1": row.f1,
                }
                for row in rows
            },
        }
    )
    return 0


def _tell(
    run: str,
    data: str,
    metrics: dict[str, float],
    count: int,
    interval: tuple[float, float],
    rows: list[ClassRow],
    output: Output,
) -> None:
    low, high = interval
    output.say(
        Text(
            en=f"{run} on {data}: accuracy {metrics['accuracy']:.2%} of {count:,} pictures "
            f"(95% interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}",
            zh=f"{run} 在 {data} 上：{count:,} 张图片，准确率 {metrics['accuracy']:.2%}"
            f"（95% 区间 {low:.2%} 至 {high:.2%}），损失 {metrics['loss']:.4f}",
        )
    )
    headings = [Text(en="class", zh="类别"), Text(en="pictures", zh="图片数"), Text(en="precision", zh="精确率"),
                Text(en="recall", zh="召回率"), Text(en="F1", zh="F1")]  # fmt: skip
    output.table(
        headings, [[row.name, row.support, *map(_percent, (row.precision, row.recall, row.f1))] for row in rows]
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
