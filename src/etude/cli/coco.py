"""``etude datasets instances.json``: labelled boxes in COCO's format, looked over and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etude.cli.figures import draw_png
from etude.cli.output import Output
from etude.core.text import Text


def tell_coco(path: Path, output: Output, figure: Path | None) -> None:
    """Print what the file holds, class by class; draw some pictures with their boxes into ``figure``.

    Raises:
        EtudeError: it is no such file, or damaged.
    """
    from etude.data.coco import coco_facts, read_coco

    coco = read_coco(path)
    facts = coco_facts(coco)
    output.say(
        Text(
            en=f"{path.name}: {facts['boxes']:,} boxes of {len(coco.classes)} classes in {facts['pictures']:,} pictures "
            f"({facts['pictures_found']:,} of them found)",
            zh=f"{path.name}：{facts['pictures']:,} 张图片（找到 {facts['pictures_found']:,} 张）中有 "
            f"{facts['boxes']:,} 个框，共 {len(coco.classes)} 类",
        )
    )
    rows: list[list[Any]] = [
        [name, counts["boxes"], counts["pictures"]] for name, counts in facts["classes"].items()
    ]
    headings: list[Text | str] = [
        Text(en="class", zh="类别"),
        Text(en="boxes", zh="框数"),
        Text(en="pictures", zh="图片数"),
    ]
    output.table(headings, rows)
    for finding in coco.findings:
        output.say(finding)
    if figure:
        from etude.data.boxes import boxes_figure

        draw_png(lambda: boxes_figure(coco, output.lang), figure, output.lang, dpi=120)
        output.say(Text(en=f"Boxes drawn: {figure}", zh=f"已画出框：{figure}"))
    output.json(facts | {"figure": str(figure) if figure else None})
