"""``etude predict``: what a trained run sees in pictures, or says of the rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.figures import draw_png, figure_path
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError
from etude.core.files import write_text
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.train.predict import Predictor

ABOUT = Text(
    en="Say what is in pictures, or predict the rows of a table, with a trained run.",
    zh="用训练好的网络识别图片，或预测表格中的每一行。",
)
_SHOWN = 10  # rows of a table that are printed
_Top = list[tuple[str, float]]


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments = _parser(lang).parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.top < 1:
        raise EtudeError(
            en=f"--top is {arguments.top}; it must be at least 1.",
            zh=f"--top 为 {arguments.top}；它必须不小于 1。",
        )
    figure = figure_path(arguments.figure)
    csv_path = figure_path(arguments.output, (".csv",), "--output")
    _check_inputs(arguments.inputs, csv_path)
    from etude.train.predict import Predictor

    predictor = Predictor(arguments.run)
    if not predictor.final:
        output.warn(
            Text(
                en=f"{predictor.run.name} is not finished; these are its best weights so far.",
                zh=f"{predictor.run.name} 尚未训练完；使用目前最好的权重。",
            )
        )
    if predictor.takes_rows:
        said = _table(predictor, arguments.inputs, arguments.top, figure, csv_path, output)
    else:
        said = _pictures(predictor, arguments.inputs, arguments.top, figure, csv_path, output)
    if csv_path:
        output.say(Text(en=f"Predictions: {csv_path}", zh=f"预测结果：{csv_path}"))
    output.json(
        {
            "run": str(predictor.run.path),
            "predictions": said,
            "figure": str(figure) if figure else None,
            "output": str(csv_path) if csv_path else None,
        }
    )
    return 0


def _parser(lang: Lang) -> Parser:
    parser = Parser("etude predict", lang, ABOUT)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=parser.words("a run's name or directory, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument(
        "inputs",
        metavar="FILE",
        nargs="+",
        help=parser.words(
            "pictures; or one table, with the columns learnt from", "图片；或一个列与训练时相同的表格"
        ),
    )
    parser.add_argument(
        "--top", type=int, default=3, metavar="K", help=parser.words("classes to name (3)", "给出的类别数（3）")
    )
    parser.add_argument(
        "--output",
        metavar="FILE.csv",
        help=parser.words("save all predictions here, a row each", "把全部预测保存到此文件，每个一行"),
    )
    parser.add_argument(
        "--figure",
        metavar="FILE.png",
        help=parser.words("save the pictures with their classes here", "把图片与类别绘制到此文件"),
    )
    add_common(parser)
    return parser


def _check_inputs(inputs: list[str], csv_path: Path | None) -> None:
    if csv_path and any(csv_path.absolute() == Path(each).absolute() for each in inputs):
        raise EtudeError(
            en=f"--output is '{csv_path}', which is read as well and would be lost; give another file.",
            zh=f"--output 为“{csv_path}”，而它同时是输入文件，会被覆盖；请换一个文件名。",
        )


def _pictures(
    predictor: Predictor, files: list[str], top: int, figure: Path | None, csv_path: Path | None, output: Output
) -> list[dict[str, Any]]:
    prepared, names = [], []
    for image in files:
        _refuse_table(predictor, image)
        try:
            prepared.append(predictor.prepare(Path(image)))
            names.append(image)
        except EtudeError as error:
            if len(files) == 1:
                raise
            output.warn(error.text)  # the other pictures are still worth an answer
    if not prepared:
        raise EtudeError(en="None of the pictures could be read.", zh="所有图片都无法读取。")
    found = predictor.top(prepared, top)
    for name, classes in zip(names, found):
        output.say(f"{name}  " + "  ".join(f"{label} {probability:.1%}" for label, probability in classes))
    if csv_path:
        _write(csv_path, ["image", "prediction", "probability"], _likeliest(names, found))
    if figure:
        _draw(figure, prepared, found, output.lang)
        output.say(Text(en=f"Picture: {figure}", zh=f"图：{figure}"))
    return [{"image": name, "top": _as_json(classes)} for name, classes in zip(names, found)]


def _refuse_table(predictor: Predictor, file: str) -> None:
    if Path(file).suffix.lower() in (".csv", ".tsv", ".npz"):
        raise EtudeError(
            en=f"{predictor.run.name} learnt from pictures, but '{file}' is a table; give it pictures.",
            zh=f"{predictor.run.name} 是用图片训练的，而“{file}”是表格；请给出图片。",
        )


def _table(
    predictor: Predictor, files: list[str], top: int, figure: Path | None, csv_path: Path | None, output: Output
) -> list[dict[str, Any]]:
    path = _one_table(predictor, files, figure)
    prepared = predictor.prepare_rows(path)
    for finding in prepared.findings:
        output.warn(finding)
    rows = [int(row) + 1 for row in prepared.rows]
    target = predictor.run.record["task"]["target"]
    if predictor.kind == "regression":
        values = [float(value) for value in predictor.outputs(prepared.features)]
        cells: list[list[Any]] = [[row, f"{value:.9g}"] for row, value in zip(rows, values)]
        shown = [[row, f"{value:.4g}"] for row, value in zip(rows[:_SHOWN], values)]
        headings, columns = [Text(en="row", zh="行"), target], ["row", "prediction"]
        said = [{"row": row, "value": value} for row, value in zip(rows, values)]
    else:
        found = predictor.top(prepared.features, top)
        cells = _likeliest(rows, found)
        shown = [[row, name, f"{chance:.1%}"] for row, ((name, chance), *_) in zip(rows[:_SHOWN], found)]
        headings = [Text(en="row", zh="行"), target, Text(en="probability", zh="概率")]
        columns = ["row", "prediction", "probability"]
        said = [{"row": row, "top": _as_json(classes)} for row, classes in zip(rows, found)]
    output.table(headings, shown)
    if len(rows) > _SHOWN:
        output.say(_rest(len(rows), csv_path is None))
    if csv_path:
        _write(csv_path, columns, cells)
    return said


def _one_table(predictor: Predictor, files: list[str], figure: Path | None) -> Path:
    name = predictor.run.name
    if len(files) > 1:
        raise EtudeError(
            en=f"{name} learnt from a table; give it one table at a time, not {len(files)} files.",
            zh=f"{name} 是用表格训练的；请一次只给一个表格，而不是 {len(files)} 个文件。",
        )
    if figure:
        raise EtudeError(
            en=f"--figure draws pictures, but {name} learnt from a table; use --output FILE.csv.",
            zh=f"--figure 用于绘制图片，而 {name} 是用表格训练的；请用 --output 文件.csv。",
        )
    from etude.data.scan import IMAGE_ENDINGS

    path = Path(files[0])
    if not path.is_file():
        raise EtudeError(
            en=f"There is no file '{path}'; give a table with the columns that {name} learnt from.",
            zh=f"没有文件“{path}”；请给出列与 {name} 训练时相同的表格。",
        )
    if path.suffix.lower() in IMAGE_ENDINGS or path.suffix.lower() == ".npz":
        raise EtudeError(
            en=f"{name} learnt from a table, but '{path}' is none that it can read; give rows with the same columns, as a "
            ".csv or .tsv file.",
            zh=f"{name} 是用表格训练的，而“{path}”不是可读的表格；请给出列相同的 .csv 或 .tsv 文件。",
        )
    return path


def _rest(count: int, unsaved: bool) -> Text:
    hint = Text(en="; --output FILE.csv saves all", zh="；用 --output 文件.csv 保存全部")
    if not unsaved:
        hint = Text(en="", zh="")
    return Text(
        en=f"the first {_SHOWN} of {count:,} rows{hint.en}", zh=f"共 {count:,} 行，显示前 {_SHOWN} 行{hint.zh}"
    )


def _likeliest(names: Sequence[Any], found: list[_Top]) -> list[list[Any]]:
    return [[name, label, f"{chance:.6g}"] for name, ((label, chance), *_) in zip(names, found)]


def _as_json(classes: _Top) -> list[dict[str, Any]]:
    return [{"class": label, "probability": probability} for label, probability in classes]


def _write(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _draw(path: Path, prepared: list[Any], found: list[_Top], lang: Lang) -> None:
    import numpy as np

    from etude.train.report.pictures import prediction_grid

    draw_png(lambda: prediction_grid(np.stack(prepared), found, lang), path, lang)
