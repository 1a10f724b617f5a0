"""``etude inspect``: what a trained network looks at: filters, feature maps, saliency, receptive fields."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.output import Output
from etude.cli.parser import Parser, add_common
from etude.core.errors import EtudeError, unknown
from etude.core.text import Lang, Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from etude.insight.inspection import Inspection
    from etude.train.predict import Predictor
    from etude.train.run import Run

ABOUT = Text(
    en="Look into a trained network: its filters, its feature maps, what its answer hangs on, and how far its units see.",
    zh="查看训练好的网络内部：滤波器、特征图、判断依据，以及各单元的感受野。",
)


def run(argv: list[str], lang: Lang) -> int:
    """The command; returns the exit code."""
    arguments = _parse(argv, lang)
    output = Output(lang, arguments.json, arguments.quiet)
    from etude.insight.inspection import Inspection
    from etude.train.predict import Predictor

    predictor = Predictor(arguments.run)
    _check_pictures(predictor)
    folder = _folder(arguments.output, predictor.run)
    if not predictor.final:
        output.warn(
            Text(
                en=f"{predictor.run.name} is not finished; these are its best weights so far.",
                zh=f"{predictor.run.name} 尚未训练完；使用目前最好的权重。",
            )
        )
    if arguments.class_name is not None and arguments.class_name not in predictor.classes:
        raise unknown(Text(en="class", zh="类别"), arguments.class_name, predictor.classes)
    with output.loading() as progress:
        name, pixels = _picture(arguments.image, arguments.class_name, predictor, progress, output)
    inspection = Inspection(predictor, pixels, arguments.layer, arguments.class_name)
    _tell(name, inspection, output)
    folder.mkdir(parents=True, exist_ok=True)
    figures = _save(inspection, folder, lang, output)
    output.json({"run": str(predictor.run.path), "image": name, **inspection.to_json(), "figures": figures})
    return 0


def _parse(argv: list[str], lang: Lang) -> Any:
    parser = Parser("etude inspect", lang, ABOUT)
    parser.add_argument(
        "run",
        metavar="RUN",
        help=parser.words("a run's name or directory, or last", "训练记录的名称或目录，或 last"),
    )
    parser.add_argument(
        "--image",
        metavar="FILE",
        help=parser.words(
            "a picture (else one of the run's own test data)", "一张图片（默认取自该训练的测试集）"
        ),
    )
    parser.add_argument(
        "--layer",
        metavar="L",
        help=parser.words("show this layer in full, such as conv2", "完整显示这一层，例如 conv2"),
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help=parser.words("explain this class (else the likeliest)", "解释这个类别（默认为概率最大的）"),
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help=parser.words("where the figures go (RUN/inspect)", "图的保存位置（RUN/inspect）"),
    )
    add_common(parser)
    return parser.parse_args(argv)


def _check_pictures(predictor: Predictor) -> None:
    if predictor.takes_rows:
        raise EtudeError(
            en=f"{predictor.run.name} was trained on a table; etude inspect looks into networks for pictures.",
            zh=f"{predictor.run.name} 是在表格数据上训练的；etude inspect 只查看处理图片的网络。",
        )


def _folder(asked: str | None, run: Run) -> Path:
    """Where the figures go: as asked, else in the run; beside the person where that cannot be written to."""
    if asked is not None:
        path = Path(os.path.expanduser(asked))
        if path.exists() and not path.is_dir():
            raise EtudeError(
                en=f"--output is '{asked}', which is a file; give a folder.",
                zh=f"--output 为“{asked}”，它是一个文件；请给出文件夹。",
            )
        return path
    writable = not run.shipped and os.access(run.path, os.W_OK)
    return run.path / "inspect" if writable else Path(f"{run.name}-inspect")


def _picture(
    image: str | None, class_name: str | None, predictor: Predictor, progress: Any, output: Output
) -> tuple[str, np.ndarray]:
    """The picture asked for, or the first of the test data that the network gets right."""
    if image is not None:
        return image, predictor.prepare(Path(image))
    from etude.insight.inspection import choose_example
    from etude.train.evaluation import examples_to_measure

    try:
        examples, data, _ = examples_to_measure(predictor, None, None, progress)
    except EtudeError as error:
        raise EtudeError(
            en=f"{error.text.en} Or give a picture: etude inspect {predictor.run.spelt} --image FILE",
            zh=f"{error.text.zh}或者给出一张图片：etude inspect {predictor.run.spelt} --image 文件",
        ) from None
    place, pixels = choose_example(predictor, examples, class_name)
    label = predictor.classes[int(examples.labels[place])]
    output.say(
        Text(
            en=f"Picture: number {place + 1} of the test part of {data} ({label}); --image FILE takes one of yours.",
            zh=f"图片：{data} 测试集的第 {place + 1} 张（{label}）；用 --image 文件 可换成自己的。",
        )
    )
    return f"{data}:test:{place}", pixels


def _tell(name: str, inspection: Inspection, output: Output) -> None:
    top = "  ".join(f"{label} {probability:.1%}" for label, probability in inspection.top)
    output.say(f"{name}  {top}")
    if not inspection.fields:
        output.say(
            Text(
                en="This network has no feature maps: each unit of its first layer looks at the whole picture.",
                zh="这个网络没有特征图：第一层的每个单元都看整张图片。",
            )
        )
        return
    headings = [Text(en="layer", zh="层"), Text(en="maps", zh="特征图"), Text(en="jump (pixels)", zh="步距（像素）"),
                Text(en="receptive field (pixels)", zh="感受野（像素）"), Text(en="effective (pixels)", zh="有效感受野（像素）")]  # fmt: skip
    rows = []
    for field, row in zip(inspection.fields, inspection.field_rows()):
        maps = "×".join(map(str, field.shape))
        effective = row["effective_size"]
        seen = "×".join(f"{size:g}" for size in row["size"])
        jump = f"{row['jump'][0]:g}"
        rows.append(
            [field.layer, maps, jump, seen, "–" if effective is None else f"{effective:.0f}×{effective:.0f}"]
        )
    output.table(headings, rows)


def _save(inspection: Inspection, folder: Path, lang: Lang, output: Output) -> dict[str, str]:
    from etude.core.files import write_bytes
    from etude.core.plotting import drawing, png

    saved = {}
    with drawing(lang):
        for name, figure in _figures(inspection, lang):
            path = folder / f"{name}.png"
            write_bytes(path, png(figure))
            saved[name] = str(path)
            output.say(Text(en=f"Figure: {path}", zh=f"图：{path}"))
    return saved


def _figures(inspection: Inspection, lang: Lang) -> Iterator[tuple[str, Figure]]:
    """Each made when it is to be saved, so that the first one is there early."""
    from etude.insight.feature_map_drawing import draw_depth, draw_layer
    from etude.insight.field_drawing import draw_fields
    from etude.insight.filter_drawing import draw_filters
    from etude.insight.saliency_drawing import draw_saliency

    pixels, fields = inspection.pixels, {field.layer: field for field in inspection.fields}
    if inspection.filters is not None:
        yield "filters", draw_filters(inspection.filters, inspection.predictor.classes, lang)
    if fields:
        if inspection.layer is None:
            yield "feature-maps", draw_depth(pixels, inspection.maps(), fields, lang)
        elif maps := inspection.maps():
            yield "feature-maps", draw_layer(pixels, maps[0], fields.get(maps[0].layer), lang)
        yield (
            "receptive-field",
            draw_fields(inspection.fields, inspection.effective, pixels, lang, inspection.focus),
        )
    yield (
        "saliency",
        draw_saliency(
            pixels,
            inspection.label,
            inspection.gradient,
            inspection.hiding,
            inspection.mean_colour,
            inspection.rival(),
            lang,
        ),
    )
