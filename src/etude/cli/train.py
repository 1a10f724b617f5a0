"""``etude train``: data in, a trained network and its run out."""

from __future__ import annotations

from argparse import BooleanOptionalAction, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etude.cli.ahead import Ahead, no_collection
from etude.cli.clock import since_enter
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.cli.training import add_explain, prepare_process, train_to_the_end
from etude.core.core_use import CoreUse
from etude.core.errors import EtudeError
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from etude.train.session import Session

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
    with no_collection(), output.loading() as progress:
        session = _begin(arguments, settings, progress)
    for note in session.notes:
        output.warn(note)
    return train_to_the_end(session, output, since_enter, arguments.explain)


def _begin(
    arguments: Namespace, settings: dict[str, Any], progress: Callable[[int, int], None] | None
) -> Session:
    """The run that was asked for; what it reads is read while torch is loaded."""
    load = {name: getattr(arguments, name) for name in ("data_dir", "image_size", "target")}
    load = {name: value for name, value in load.items() if value is not None}
    threads = _threads(settings)
    use = CoreUse()
    reading = _read_ahead(arguments, settings, load, progress)
    prepare_process(threads, use)
    from etude.train.start import check_wishes, start_run

    wishes = {"model": arguments.model, "model_settings": arguments.setting}
    check_wishes(**wishes, **settings)  # a misspelt name is told before what is wrong with the data
    return start_run(
        arguments.data if reading is None else reading.result(),
        **wishes,
        task=arguments.task,
        load=load,
        weights=arguments.weights,
        pretrained=arguments.pretrained,
        run_dir=arguments.run_dir,
        progress=progress,
        **settings,
    )


def _threads(settings: dict[str, Any]) -> int | None:
    """How many threads were asked for; seen to before anything starts one."""
    from etude.core.settings import make
    from etude.train.recipe import Recipe

    return make(Recipe, {name: value for name, value in settings.items() if name == "threads"}).threads


def _read_ahead(
    arguments: Namespace,
    settings: dict[str, Any],
    load: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> Ahead[Any] | None:
    """The data, read in a thread; or their name again, where they must be downloaded, or are a person's own.

    None where weights are named, which have a say in how data are read, or the seed is no number.
    """
    seed = settings.get("seed", "0")
    if arguments.weights is not None or arguments.pretrained or not (seed.isascii() and seed.isdecimal()):
        return None

    def read() -> Any:
        from etude.core.paths import data_dir
        from etude.data.catalog import list_datasets, load_data

        entry = list_datasets().get(arguments.data)
        if entry is None or entry.where(data_dir(arguments.data_dir)) is None:
            return arguments.data
        return load_data(arguments.data, seed=int(seed), task=arguments.task, progress=progress, **load)

    return Ahead(read)


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
            "a data set (see etude datasets), your own folder of pictures (CLASS/*.jpg), or a table (FILE.csv)",
            "数据集名称（见 etude datasets）、自己的图片文件夹（类别/*.jpg）或表格（文件.csv）",
        ),
    )
    _add_data(parser)
    _add_model(parser)
    parser.add_argument(
        "--run-dir", metavar="DIR", help=parser.words("keep the run here", "训练记录的保存位置")
    )
    add_settings(parser, Recipe, parser.words("recipe", "训练设置"))
    add_explain(parser)
    add_common(parser)
    arguments = parser.parse_args(argv)
    if arguments.steps is not None and arguments.epochs is not None:
        raise EtudeError(
            en="--epochs and --steps were both given; give the length of the run in one of them.",
            zh="同时给出了 --epochs 与 --steps；请只用其中一个指定训练长度。",
        )
    return arguments, Output(lang, arguments.json, arguments.quiet), chosen(arguments, Recipe)


def _add_data(parser: Parser) -> None:
    group = parser.add_argument_group(parser.words("data", "数据"))
    group.add_argument(
        "--data-dir",
        metavar="DIR",
        help=parser.words(
            "where downloaded data sets are (else $ETUDE_DATA)", "已下载数据集的位置（默认 $ETUDE_DATA）"
        ),
    )
    group.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help=parser.words(
            "side of the squares your own pictures become, in pixels", "自己的图片统一成的边长（像素）"
        ),
    )
    group.add_argument(
        "--target",
        metavar="COLUMN",
        help=parser.words(
            "the column of a table to be learnt (else the last)", "表格中要学习的列（默认最后一列）"
        ),
    )
    group.add_argument(
        "--task",
        choices=("classification", "regression"),
        help=parser.words(
            "whether that column is one of some classes or a number (else as it looks)",
            "该列是类别还是数值（默认自动判断）",
        ),
    )


def _add_model(parser: Parser) -> None:
    group = parser.add_argument_group(parser.words("model", "模型"))
    group.add_argument(
        "--model",
        metavar="NAME",
        help=parser.words(
            "a model (see etude models), or torchvision:NAME", "模型（见 etude models），或 torchvision:名称"
        ),
    )
    group.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=parser.words(
            "a setting of the model, such as widths=64,32; may be repeated",
            "模型的设置项，例如 widths=64,32；可重复使用",
        ),
    )
    group.add_argument(
        "--weights",
        metavar="FILE|RUN",
        help=parser.words(
            "begin with the weights of a file (.safetensors, .pth) or of a run",
            "从权重文件（.safetensors、.pth）或某次训练的权重开始",
        ),
    )
    group.add_argument(
        "--pretrained",
        action=BooleanOptionalAction,
        help=parser.words(
            "begin with weights that étude ships, or torchvision's (downloaded once); "
            "so it does by itself where photographs are few and no model is named",
            "从 étude 自带的权重或 torchvision 的权重（只下载一次）开始；照片较少且未指定模型时默认如此",
        ),
    )
