"""``etude train``: data in, a trained network and its run out."""

from __future__ import annotations

from etude.cli.clock import since_enter
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError
from etude.core.text import Lang, Text

ABOUT = Text(
    en="Train a network. With nothing else said: LeNet-5 on Fashion-MNIST, which comes with étude.",
    zh="训练网络。不加任何参数时：在 étude 自带的 Fashion-MNIST 上训练 LeNet-5。",
)
EPILOG = Text(
    en="What is not set follows from the model and the data. Ctrl-C stops after the step; etude resume carries on.",
    zh="未设置的选项随模型与数据而定。按 Ctrl-C 会在当前步之后停止；用 etude resume 继续。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments, output, settings = _read(argv, lang)
    from etude.cli.training import prepare_process, train_to_the_end

    prepare_process()
    from etude.data.catalog import load_data
    from etude.train.recommended import recommend, recommended_model
    from etude.train.start import start_run

    load = {"data_dir": arguments.data_dir, "image_size": arguments.image_size}
    load = {name: value for name, value in load.items() if value is not None}
    if arguments.model:
        from etude.models.catalog import find_model

        find_model(arguments.model)  # a misspelt name is told before the data is read
    seed = recommend(arguments.model or "", 0, settings).seed  # and so is a setting out of bounds
    with output.loading() as progress:
        data = load_data(arguments.data, seed=seed, progress=progress, **load)
    for finding in data.findings:
        output.warn(finding)
    model = arguments.model or recommended_model(data.input_shape)
    recipe = recommend(model, len(data.train), settings)
    session = start_run(data, model, recipe, run_dir=arguments.run_dir)
    return train_to_the_end(session, output, since_enter)


def _read(argv: list[str], lang: Lang):
    from etude.cli.flags import add_settings, chosen
    from etude.train.recipe import Recipe

    parser = Parser("etude train", lang, ABOUT, EPILOG)
    parser.add_argument(
        "data",
        nargs="?",
        default="fashion-mnist",
        metavar="DATA",
        help=parser.words(
            "a data set (see etude datasets) or your own folder of pictures: CLASS/*.jpg",
            "数据集名称（见 etude datasets），或自己的图片文件夹：类别/*.jpg",
        ),
    )
    parser.add_argument(
        "--model", metavar="NAME", help=parser.words("a model (see etude models)", "模型（见 etude models）")
    )
    parser.add_argument(
        "--run-dir", metavar="DIR", help=parser.words("keep the run here", "训练记录的保存位置")
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help=parser.words(
            "where downloaded data sets are (else $ETUDE_DATA)", "已下载数据集的位置（默认 $ETUDE_DATA）"
        ),
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help=parser.words(
            "side of the squares your own pictures become, in pixels", "自己的图片统一成的边长（像素）"
        ),
    )
    add_settings(parser, Recipe, parser.words("recipe", "训练设置"))
    add_common(parser)
    arguments = parser.parse_args(argv)
    if arguments.steps is not None and arguments.epochs is not None:
        raise EtudeError(
            en="--epochs and --steps were both given; give the length of the run in one of them.",
            zh="同时给出了 --epochs 与 --steps；请只用其中一个指定训练长度。",
        )
    return arguments, Output(lang, arguments.json, arguments.quiet), chosen(arguments, Recipe)
