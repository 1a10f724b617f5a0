"""``etude models``: the catalogue, and one model layer by layer."""

from __future__ import annotations

import re
from typing import Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError
from etude.core.text import Lang, Text, same

ABOUT = Text(
    en="The models: etude models lists them; with a name it shows one layer by layer.",
    zh="模型：etude models 列出全部；给出名称则逐层显示该模型。",
)
EPILOG = Text(
    en="For example: etude models lenet5 --input 3x64x64 --classes 5 --setting dropout=0.2",
    zh="例如：etude models lenet5 --input 3x64x64 --classes 5 --setting dropout=0.2",
)
CONVENTION = Text(
    en="FLOPs: one example, forward; one multiply-add counts as 2; convolutions and matrix products only.",
    zh="FLOPs：一个样本前向计算的浮点运算次数；一次乘加计为 2 次；只计卷积与矩阵乘法。",
)
TABLES = Text(
    en="Inputs are as published; other sizes work too. For tables: {tables}.",
    zh="输入为论文所用的尺寸，也可以是其他尺寸。可用于表格的模型：{tables}。",
)
PARAMETERS = Text(en="parameters", zh="参数量")
MILLIONS = same("MFLOPs")
INPUT = Text(en="input", zh="输入")
TRAINING = Text(en="in training only", zh="仅训练时使用")


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude models", lang, ABOUT, EPILOG)
    parser.add_argument(
        "name",
        nargs="?",
        metavar="MODEL",
        help=parser.words("show this model layer by layer", "逐层显示这个模型"),
    )
    parser.add_argument(
        "--input",
        metavar="CxHxW|N",
        help=parser.words(
            "channels x height x width of an image, or features of a table (as published)",
            "图像的 通道数x高x宽，或表格的特征数（默认同论文）",
        ),
    )
    parser.add_argument(
        "--classes",
        type=int,
        metavar="N",
        help=parser.words(
            "number of classes, or 1 for a number (as published)", "类别数；1 表示输出一个数（默认同论文）"
        ),
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=parser.words("a setting of the model; may be repeated", "模型的设置项；可重复使用"),
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.name is not None:
        shape = None if arguments.input is None else _read_shape(arguments.input)
        return _show(arguments.name, shape, arguments.classes, arguments.setting, output)
    if arguments.input is not None or arguments.classes is not None or arguments.setting:
        raise EtudeError(
            en="--input, --classes and --setting go with one model: etude models MODEL --input 3x64x64.",
            zh="--input、--classes 和 --setting 只用于单个模型：etude models 模型名 --input 3x64x64。",
        )
    return _list(output)


def _list(output: Output) -> int:
    from etude.models.catalog import list_models
    from etude.models.settings import settings_of
    from etude.models.summary import count

    facts: list[dict[str, Any]] = []
    for name, model in list_models().items():
        parameters, flops = count(
            _build_on_meta(name, model.input_shape, model.num_classes, {}), model.input_shape
        )
        facts.append(
            {
                "name": name,
                "title": output.word(model.title),
                "notes": output.word(model.notes),
                "source": model.source,
                "input_shape": model.input_shape,
                "num_classes": model.num_classes,
                "parameters": parameters,
                "flops": flops,
                "takes_tables": model.takes_tables,
                "gives_numbers": model.gives_numbers,
                "settings": settings_of(model),
            }
        )
    if not output.quiet:
        _print_by_family(facts, [model.build for model in list_models().values()], output)
    output.say(CONVENTION)
    tables = [name for name, model in list_models().items() if model.takes_tables]
    output.say(TABLES.format(tables=Text(en=", ".join(tables), zh="、".join(tables))))
    output.say(
        Text(en="One model layer by layer: etude models lenet5", zh="逐层查看某个模型：etude models lenet5")
    )
    output.json({"models": facts})
    return 0


def _print_by_family(facts: list[dict[str, Any]], builds: list[Any], output: Output) -> None:
    """The list, 100 columns wide: a block for each file, the oldest publication first."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    name, title, source = (
        Text(en="model", zh="名称"),
        Text(en="what it is", zh="说明"),
        Text(en="source", zh="出处"),
    )
    for heading in (name, title, PARAMETERS, MILLIONS, INPUT, source):
        number = heading in (PARAMETERS, MILLIONS)
        table.add_column(output.word(heading), justify="right" if number else "left", overflow="fold")
    families: dict[str, list[dict[str, Any]]] = {}
    for each, build in zip(facts, builds):
        families.setdefault(getattr(build, "func", build).__module__, []).append(each)
    by_year = sorted(families.values(), key=lambda family: _cite(family[0]["source"])[-4:])
    for place, family in enumerate(by_year):
        if place:
            table.add_row()
        for each in family:
            table.add_row(
                each["name"],
                each["title"],
                f"{each['parameters']:,}",
                _millions(each["flops"]),
                _size(each["input_shape"]),
                _cite(each["source"]),
            )
    output.console().print(table)


def _cite(source: str) -> str:
    """``He et al. 2016`` for ``He, Zhang, Ren & Sun 2016, section 4.2``: authors and year of the first publication."""
    found = re.match(r"(.+?) (\d{4})", source)
    if not found:
        return source
    authors = re.split(r", | & ", found[1])
    return f"{' & '.join(authors) if len(authors) < 3 else authors[0] + ' et al.'} {found[2]}"


def _show(
    name: str, shape: tuple[int, ...] | None, num_classes: int | None, words: list[str], output: Output
) -> int:
    from etude.models.catalog import find_model
    from etude.models.settings import read_setting, settings_of
    from etude.models.summary import count, layer_table

    model = find_model(name)
    shape = shape or model.input_shape
    num_classes = model.num_classes if num_classes is None else num_classes
    given = dict(read_setting(model, each) for each in words)
    net = _build_on_meta(name, shape, num_classes, given)
    settings = settings_of(model) | given
    layers = layer_table(net, shape)
    parameters, flops = count(net, shape)
    output.say(
        Text(en=f"{name}: {model.title.en}. {model.notes.en}", zh=f"{name}：{model.title.zh}。{model.notes.zh}")
    )
    output.say(Text(en=f"Source: {model.source}", zh=f"出处：{model.source}"))
    rows: list[list[Any]] = [
        [layer.name, layer.kind, _size(layer.output_shape) or TRAINING, layer.parameters, layer.flops]
        for layer in layers
    ]
    total = Text(en=f"total, {num_classes} classes", zh=f"合计，{num_classes} 类")
    if num_classes == 1:
        total = Text(en="total, 1 number", zh="合计，输出 1 个数")
    headings = [
        Text(en="layer", zh="层"), Text(en="kind", zh="类型"), Text(en="output", zh="输出"), PARAMETERS, same("FLOPs"),
    ]  # fmt: skip
    output.table(headings, [["", INPUT, _size(shape), 0, 0], *rows, ["", total, "", parameters, flops]])
    output.say(CONVENTION)
    spelt = ", ".join(f"{key}={_spelt(value)}" for key, value in settings.items())
    output.say(Text(en=f"Settings: {spelt or 'none'}", zh=f"设置项：{spelt or '无'}"))
    output.json(
        {
            "model": name,
            "source": model.source,
            "input_shape": shape,
            "num_classes": num_classes,
            "settings": settings,
            "parameters": parameters,
            "flops": flops,
            "layers": [vars(layer) for layer in layers],
        }
    )
    return 0


def _build_on_meta(name: str, shape: tuple[int, ...], num_classes: int, settings: dict[str, Any]):
    import torch

    from etude.models.catalog import build_model

    with torch.device("meta"):  # shapes without content: no memory, hardly any time
        return build_model(name, shape, num_classes, **settings)


def _read_shape(words: str) -> tuple[int, ...]:
    """``3x64x64`` of an image; ``13`` of a row of a table."""
    if not re.fullmatch(r"\s*\d{1,6}((\s*[xX×*,]\s*\d{1,6}){2})?\s*", words):
        raise EtudeError(
            en=f"--input is '{words}'; write channels x height x width of an image, for example 3x64x64, "
            "or the number of features of a table, for example 13.",
            zh=f"--input 为“{words}”；请写成图像的 通道数x高x宽，例如 3x64x64，或表格的特征数，例如 13。",
        )
    return tuple(int(size) for size in re.findall(r"\d+", words))


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape)


def _millions(flops: int) -> str:
    if flops < 10_000:
        return "< 0.01"
    digits = 0 if flops >= 1e8 else 1 if flops >= 1e5 else 2
    return f"{flops / 1e6:,.{digits}f}"


def _spelt(value: Any) -> str:
    """A setting's value as ``--setting`` takes it."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
