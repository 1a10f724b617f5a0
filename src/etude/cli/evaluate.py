"""``etude evaluate``: a trained run measured on its test part, or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.figures import figure_path, save_figure
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.train.evaluation import Evaluation
    from etude.train.predict import Predictor
    from etude.train.report.predictions import Predictions, RegressionPredictions
    from etude.train.report.statistics import ClassRow

ABOUT = Text(
    en="Measure a run on the test part of its data, or on other data: a data set, your own folder CLASS/*.jpg, or a table "
    "with the target column.",
    zh="在原数据的测试集上评估，或在其他数据上评估：数据集名称、自己的文件夹 类别/*.jpg，或含目标列的表格。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments = _parser(lang).parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    figure = figure_path(arguments.figure)
    report = figure_path(arguments.report, (".html",), "--report")
    from etude.train.evaluation import evaluate_run
    from etude.train.predict import Predictor
    from etude.train.report.predictions import RegressionPredictions

    predictor = Predictor(arguments.run)
    with output.loading() as progress:
        found = evaluate_run(predictor, arguments.data, arguments.data_dir, progress)
    for finding in found.findings:
        output.warn(finding)
    if isinstance(found.predictions, RegressionPredictions):
        said = _numbers(predictor, found, found.predictions, output)
    else:
        said = _classes(predictor, found, found.predictions, output)
    if figure:
        _draw(found.predictions, figure, lang)
        output.say(Text(en=f"Figure: {figure}", zh=f"图：{figure}"))
    if report:
        _write(predictor, found, report, arguments.data is not None, lang)
        output.say(Text(en=f"Report: {report}", zh=f"报告：{report}"))
    kept = {"figure": str(figure) if figure else None, "report": str(report) if report else None}
    about = {"run": str(predictor.run.path), "dataset": found.data, "examples": len(found.predictions)}
    output.json(about | said | kept)
    return 0


def _parser(lang: Lang) -> Parser:
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
    parser.add_argument(
        "--report",
        metavar="FILE.html",
        help=parser.words("write all figures and tables here, as one page", "把全部图表写成一个网页"),
    )
    parser.add_argument(
        "--figure",
        metavar="FILE.png",
        help=parser.words(
            "draw the confusion matrix, or of numbers the residuals, here",
            "把混淆矩阵（数值目标：残差图）绘制到此文件",
        ),
    )
    add_common(parser)
    return parser


def _classes(
    predictor: Predictor, found: Evaluation, predictions: Predictions, output: Output
) -> dict[str, Any]:
    from etude.train.report.nouns import noun
    from etude.train.report.statistics import calibration_error, per_class_table, wilson_interval

    of, metrics, count = noun(predictor.run.record), found.metrics, len(predictions)
    correct = predictions.predicted == predictions.labels
    rows = per_class_table(predictions.labels, predictions.predicted, predictions.classes)
    low, high = wilson_interval(int(correct.sum()), count)
    output.say(
        Text(
            en=f"{predictor.run.name} on {found.data}: accuracy {metrics['accuracy']:.2%} of {count:,} {of.many} "
            f"(95% interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}",
            zh=f"{predictor.run.name} 在 {found.data} 上：{count:,} {of.measure}{of.zh}，准确率 {metrics['accuracy']:.2%}"
            f"（95% 区间 {low:.2%} 至 {high:.2%}），损失 {metrics['loss']:.4f}",
        )
    )
    headings: list[Text | str] = [
        Text(en="class", zh="类别"), Text(en=of.many, zh="数量"), Text(en="precision", zh="精确率"),
        Text(en="recall", zh="召回率"), Text(en="F1", zh="F1"),
    ]  # fmt: skip
    output.table(
        headings, [[row.name, row.support, *map(_percent, (row.precision, row.recall, row.f1))] for row in rows]
    )
    return {
        "test_accuracy": metrics["accuracy"],
        "test_loss": metrics["loss"],
        "interval": [low, high],
        "calibration_error": calibration_error(predictions.confidence, correct),
        "classes": {row.name: _row(row) for row in rows},
    }


def _row(row: ClassRow) -> dict[str, Any]:
    return {"support": row.support, "precision": row.precision, "recall": row.recall, "f1": row.f1}


def _numbers(
    predictor: Predictor, found: Evaluation, predictions: RegressionPredictions, output: Output
) -> dict[str, Any]:
    from etude.train.report.nouns import noun
    from etude.train.report.regression_statistics import summarise

    of, errors, name = noun(predictor.run.record), summarise(predictions), predictor.run.name
    en = [f"RMSE {errors.rmse:.4g}" + _between(errors.rmse_interval, ".4g").en]
    zh = [f"RMSE {errors.rmse:.4g}" + _between(errors.rmse_interval, ".4g").zh]
    if errors.r2 is not None:
        en.append(f"R² {errors.r2:.3f}" + _between(errors.r2_interval, ".3f").en)
        zh.append(f"R² {errors.r2:.3f}" + _between(errors.r2_interval, ".3f").zh)
    en.append(f"mean absolute error {errors.mae:.4g}")
    zh.append(f"平均绝对误差 {errors.mae:.4g}")
    if errors.baseline_rmse is not None:
        en.append(f"always saying the mean: RMSE {errors.baseline_rmse:.4g}")
        zh.append(f"总是猜均值：RMSE {errors.baseline_rmse:.4g}")
    output.say(
        Text(
            en=f"{name} on {found.data}, {len(predictions):,} {of.many}, predicting {predictions.target}: "
            + "; ".join(en),
            zh=f"{name} 在 {found.data} 上预测 {predictions.target}（{len(predictions):,} {of.measure}{of.zh}）："
            + "；".join(zh),
        )
    )
    return {
        "target": predictions.target,
        "test_rmse": errors.rmse,
        "test_r2": errors.r2,
        "test_mae": errors.mae,
        "test_loss": found.metrics["loss"],
        "intervals": {"test_rmse": errors.rmse_interval, "test_r2": errors.r2_interval},
        "baseline_rmse": errors.baseline_rmse,
    }


def _between(interval: tuple[float, float] | None, form: str) -> Text:
    if interval is None:
        return Text(en="", zh="")
    low, high = (f"{end:{form}}" for end in interval)
    return Text(en=f" (95% interval {low} to {high})", zh=f"（95% 区间 {low} 至 {high}）")


def _draw(predictions: Predictions | RegressionPredictions, path: Path, lang: Lang) -> None:
    from etude.core.plotting import drawing
    from etude.train.report.confusion import confusion
    from etude.train.report.predictions import RegressionPredictions
    from etude.train.report.residuals import residuals

    with drawing(lang):
        numbers = isinstance(predictions, RegressionPredictions)
        figure = residuals(predictions, lang) if numbers else confusion(predictions, lang)
    save_figure(figure, path, lang)


def _write(predictor: Predictor, found: Evaluation, path: Path, elsewhere: bool, lang: Lang) -> None:
    """The report of this evaluation as one page; ``elsewhere``: on other data than the run's own test part."""
    from etude.core.files import write_text
    from etude.train.report.page import render_report

    record = predictor.run.record
    results = {name: value for name, value in predictor.run.results.items() if not name.startswith("test_")}
    results |= {f"test_{name}": value for name, value in found.metrics.items()}
    findings = [{"en": each.en, "zh": each.zh} for each in found.findings]
    about = record | {
        "status": "finished",
        "results": results,
        "data": record["data"] | {"name": found.data, "findings": findings},
    }
    if elsewhere:
        about["measured_on"] = found.data
    write_text(path, render_report(about, [], found.predictions, lang, reached_as=str(predictor.run.path)))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
