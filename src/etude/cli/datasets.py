"""``etude datasets``: the data sets; one of them, or a person's own folder, looked over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etude.cli.figures import figure_path
from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    import numpy as np

    from etude.data.dataset import ImageData

ABOUT = Text(
    en="List the data sets; with a name or a folder of yours: look it over, class by class.",
    zh="列出数据集；给出名称或自己的文件夹时，逐类检查其内容。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    parser = Parser("etude datasets", lang, ABOUT)
    parser.add_argument(
        "data", nargs="?", metavar="DATA", help=parser.words("a data set or a folder", "数据集或文件夹")
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help=parser.words(
            "where downloaded data sets are (else $ETUDE_DATA)", "已下载数据集的位置（默认 $ETUDE_DATA）"
        ),
    )
    parser.add_argument(
        "--figure", metavar="FILE.png", help=parser.words("save sample pictures here", "把样例图片保存到此文件")
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    output = Output(lang, arguments.json, arguments.quiet)
    if arguments.data is None:
        return _list(arguments.data_dir, output)
    figure = figure_path(arguments.figure)
    from etude.data.catalog import load_data

    with output.loading() as progress:
        data = load_data(arguments.data, data_dir=arguments.data_dir, progress=progress)
    _tell(data, output)
    if figure:
        from etude.core.files import write_bytes
        from etude.core.plotting import drawing, png
        from etude.data.grid import sample_grid

        with drawing(lang):
            write_bytes(figure, png(sample_grid(data, lang), dpi=120))
        output.say(Text(en=f"Samples: {figure}", zh=f"样例：{figure}"))
    output.json(_facts(data) | {"figure": str(figure) if figure else None})
    return 0


def _list(data_dir: str | None, output: Output) -> int:
    from etude.core.paths import data_dir as data_folder
    from etude.data.catalog import list_datasets

    rows, facts = [], []
    for entry in list_datasets().values():
        where = entry.where(data_folder(data_dir))
        place = (
            Text(en="bundled", zh="自带")
            if where == "bundled"
            else (where or Text(en="to be downloaded", zh="需下载"))
        )
        size = "×".join(map(str, entry.input_shape))
        rows.append([entry.name, entry.title, *entry.sizes, len(entry.classes), size, place, entry.licence])
        facts.append(
            {
                "name": entry.name,
                "train": entry.sizes[0],
                "test": entry.sizes[1],
                "num_classes": len(entry.classes),
                "input_shape": list(entry.input_shape),
                "where": where,
                "licence": entry.licence,
                "source": entry.source,
            }
        )
    headings = [
        Text(en="name", zh="名称"), Text(en="what", zh="内容"), Text(en="training", zh="训练"), Text(en="test", zh="测试"),
        Text(en="classes", zh="类别数"), Text(en="size", zh="尺寸"), Text(en="where", zh="位置"), Text(en="licence", zh="许可"),
    ]  # fmt: skip
    output.table(headings, rows)
    output.say(
        Text(
            en="Your own pictures: a folder with one sub-folder a class; check it with: etude datasets FOLDER",
            zh="自己的图片：每个类别一个子文件夹；检查方法：etude datasets 文件夹",
        )
    )
    output.json({"datasets": facts})
    return 0


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
