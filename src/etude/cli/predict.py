"""``etude predict``: what a trained run sees in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etude.cli.figures import figure_path
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError
from etude.core.files import write_bytes
from etude.core.text import Lang, Text

ABOUT = Text(en="Say what is in pictures, with a trained run.", zh="用训练好的网络识别图片。")


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude predict", lang, ABOUT)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=parser.words("a run's name or directory, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help=parser.words("pictures", "图片"))
    parser.add_argument(
        "--top", type=int, default=3, metavar="K", help=parser.words("classes to name (3)", "给出的类别数（3）")
    )
    parser.add_argument(
        "--figure",
        metavar="FILE.png",
        help=parser.words("save the pictures with their classes here", "把图片与类别绘制到此文件"),
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.top < 1:
        raise EtudeError(
            en=f"--top is {arguments.top}; it must be at least 1.",
            zh=f"--top 为 {arguments.top}；它必须不小于 1。",
        )
    figure = figure_path(arguments.figure)
    from etude.train.predict import Predictor

    predictor = Predictor(arguments.run)
    if not predictor.final:
        output.warn(
            Text(
                en=f"{predictor.run.name} is not finished; these are its best weights so far.",
                zh=f"{predictor.run.name} 尚未训练完；使用目前最好的权重。",
            )
        )
    prepared, names = [], []
    for image in arguments.images:
        try:
            prepared.append(predictor.prepare(Path(image)))
            names.append(image)
        except EtudeError as error:
            if len(arguments.images) == 1:
                raise
            output.warn(error.text)  # the other pictures are still worth an answer
    if not prepared:
        raise EtudeError(en="None of the pictures could be read.", zh="所有图片都无法读取。")
    found = predictor.top(prepared, arguments.top)
    _tell(names, found, output)
    if figure:
        _draw(figure, prepared, found, lang)
        output.say(Text(en=f"Picture: {figure}", zh=f"图：{figure}"))
    output.json(
        {
            "run": str(predictor.run.path),
            "predictions": _as_json(names, found),
            "figure": str(figure) if figure else None,
        }
    )
    return 0


def _tell(names: list[str], found: list[list[tuple[str, float]]], output: Output) -> None:
    for name, classes in zip(names, found):
        output.say(f"{name}  " + "  ".join(f"{label} {probability:.1%}" for label, probability in classes))


def _as_json(names: list[str], found: list[list[tuple[str, float]]]) -> list[dict[str, Any]]:
    return [
        {"image": name, "top": [{"class": label, "probability": probability} for label, probability in classes]}
        for name, classes in zip(names, found)
    ]


def _draw(path: Path, prepared: list[Any], found: list[list[tuple[str, float]]], lang: Lang) -> None:
    import numpy as np

    from etude.core.plotting import drawing, png
    from etude.train.report.pictures import prediction_grid

    with drawing(lang):
        write_bytes(path, png(prediction_grid(np.stack(prepared), found, lang)))
