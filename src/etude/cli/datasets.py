"""``etude datasets``: the data sets; one of them, or a person's own folder or table, looked over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.figures import draw_png, figure_path
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    import numpy as np

    from etude.data.dataset import ImageData
    from etude.data.entry import NamedDataset, NamedTable

ABOUT = Text(
    en="List the data sets; with a name, or a folder of pictures, a table (CSV) or a COCO file of yours: look it over.",
    zh="列出数据集；给出名称、自己的图片文件夹、表格（CSV）或 COCO 文件时，检查其内容。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments = _parser(lang).parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.data is None:
        return _list(arguments.data_dir, output)
    figure = figure_path(arguments.figure)
    path = Path(arguments.data)
    if path.suffix.lower() == ".json" and path.is_file():
        from etude.cli.coco import tell_coco

        tell_coco(path, output, figure)
        return 0
    from etude.data.catalog import load_data

    with output.loading() as progress:
        data = load_data(
            arguments.data,
            data_dir=arguments.data_dir,
            target=arguments.target,
            task=arguments.task,
            progress=progress,
        )
    from etude.data.table import TableData

    if isinstance(data, TableData):
        from etude.cli.table import tell_table

        tell_table(data, output, figure)
        return 0
    _tell(data, output)
    if figure:
        from etude.data.grid import sample_grid

        draw_png(lambda: sample_grid(data, lang), figure, lang, dpi=120)
        output.say(Text(en=f"Samples: {figure}", zh=f"样例：{figure}"))
    output.json(_facts(data) | {"figure": str(figure) if figure else None})
    return 0


def _parser(lang: Lang) -> Parser:
    parser = Parser("etude datasets", lang, ABOUT)
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help=parser.words(
            "a data set, a folder, a table, or COCO's instances.json",
            "数据集、文件夹、表格，或 COCO 的 instances.json",
        ),
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help=parser.words(
            "the column of a table to be learnt (else the last)", "表格中要学习的列（默认最后一列）"
        ),
    )
    parser.add_argument(
        "--task",
        metavar="TASK",
        help=parser.words(
            "of a table: classification or regression", "表格的任务：classification 或 regression"
        ),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help=parser.words(
            "where downloaded data sets are (else $ETUDE_DATA)", "已下载数据集的位置（默认 $ETUDE_DATA）"
        ),
    )
    parser.add_argument(
        "--figure",
        metavar="FILE.png",
        help=parser.words("save a picture of the data here", "把数据的图保存到此文件"),
    )
    add_common(parser)
    return parser


def _list(data_dir: str | None, output: Output) -> int:
    from etude.core.paths import data_dir as data_folder
    from etude.data.catalog import list_datasets

    entries = list_datasets().values()
    where = {entry.name: entry.where(data_folder(data_dir)) for entry in entries}
    headings = [
        Text(en="name", zh="名称"), Text(en="what", zh="内容"), Text(en="training", zh="训练"), Text(en="test", zh="测试"),
        Text(en="classes", zh="类别数"), Text(en="size", zh="尺寸"), Text(en="where", zh="位置"), Text(en="licence", zh="许可"),
    ]  # fmt: skip
    output.table(headings, [_row(entry, where[entry.name]) for entry in entries])
    output.say(
        Text(
            en="Your own pictures: a folder with one sub-folder a class; check it with: etude datasets FOLDER\n"
            "Your own table: a CSV file; check it with: etude datasets FILE.csv --target COLUMN",
            zh="自己的图片：每个类别一个子文件夹；检查方法：etude datasets 文件夹\n"
            "自己的表格：CSV 文件；检查方法：etude datasets 文件.csv --target 列名",
        )
    )
    output.json({"datasets": [_entry_facts(entry, where[entry.name]) for entry in entries]})
    return 0


def _row(entry: NamedDataset | NamedTable, where: str | None) -> list[Any]:
    from etude.data.entry import NamedTable

    place = (
        Text(en="bundled", zh="自带")
        if where == "bundled"
        else where or Text(en="to be downloaded", zh="需下载")
    )
    if isinstance(entry, NamedTable):
        classes = str(len(entry.classes)) if entry.classes else Text(en="a number", zh="数值")
        count = len(entry.columns)
        size = Text(en=f"{count} columns", zh=f"{count} 列")
        return [entry.name, entry.title, entry.rows, 0, classes, size, place, entry.licence]
    size = "×".join(map(str, entry.input_shape))
    return [entry.name, entry.title, *entry.sizes, str(len(entry.classes)), size, place, entry.licence]


def _entry_facts(entry: NamedDataset | NamedTable, where: str | None) -> dict[str, Any]:
    from etude.data.entry import NamedTable

    table = isinstance(entry, NamedTable)
    return {
        "name": entry.name,
        "kind": "table" if table else "pictures",
        "train": entry.rows if table else entry.sizes[0],
        "test": 0 if table else entry.sizes[1],
        "num_classes": len(entry.classes),
        "input_shape": [len(entry.columns)] if table else list(entry.input_shape),
        "target": entry.target.name if table else None,
        "where": where,
        "licence": entry.licence,
        "source": entry.source,
    }


def _tell(data: ImageData, output: Output) -> None:
    channels, height, width = data.input_shape
    mean, std = (", ".join(f"{value:.4f}" for value in values) for values in (data.mean, data.std))
    output.say(
        Text(
            en=f"{data.name}: {data.num_classes} classes, {channels}×{height}×{width}; mean {mean}, standard deviation {std}",
            zh=f"{data.name}：{data.num_classes} 类，{channels}×{height}×{width}；均值 {mean}，标准差 {std}",
        )
    )
    counts = _counts(data)
    rows: list[list[Any]] = [
        [name, *(int(counts[part][i]) for part in counts)] for i, name in enumerate(data.classes)
    ]
    rows.append([Text(en="all", zh="合计"), *(int(counts[part].sum()) for part in counts)])
    headings = [
        Text(en="class", zh="类别"),
        Text(en="training", zh="训练"),
        Text(en="validation", zh="验证"),
        Text(en="test", zh="测试"),
    ]
    output.table(headings, rows)
    for finding in data.findings:
        output.say(finding)


def _counts(data: ImageData) -> dict[str, np.ndarray]:
    import numpy as np

    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: np.bincount(part.labels, minlength=data.num_classes) for name, part in parts.items()}


def _facts(data: ImageData) -> dict[str, Any]:
    counts = _counts(data)
    return {
        "dataset": data.name,
        "input_shape": list(data.input_shape),
        "classes": {
            name: {part: int(counts[part][i]) for part in counts} for i, name in enumerate(data.classes)
        },
        "mean": list(data.mean),
        "std": list(data.std),
        "split": data.split,
        "findings": [finding.en for finding in data.findings],
        "unreadable": data.source.get("unreadable", []),
        "fingerprint": data.fingerprint,
    }
