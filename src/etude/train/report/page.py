"""The report of a run: one file of HTML that needs nothing else, and its figures as pictures."""

from __future__ import annotations

import json
import os
import shlex
import warnings
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from etude.core.files import write_bytes, write_text
from etude.core.paths import runs_dir
from etude.core.plotting import drawing, png
from etude.core.text import Lang, Text
from etude.train.report import summary
from etude.train.report.confusion import confusion
from etude.train.report.curves import curves
from etude.train.report.document import DPI, Document
from etude.train.report.pictures import mistakes
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import per_class_table


def write_report(
    run_dir: Path,
    run: dict[str, Any],
    records: list[dict[str, Any]],
    predictions: Predictions | None,
    lang: Lang,
) -> Path:
    """Write ``report.html`` and ``figures/*.png`` into the directory of a run; the path of the report.

    Args:
        run: the content of ``run.json``; anything may be missing from it.
        records: the lines of ``metrics.jsonl``.
        predictions: of the test part, or None.
        lang: the language of the report.

    Raises:
        OSError: the disk is full, or so; files are then the old ones or the new ones, none is half-written.
    """
    pictures = draw(records, predictions, lang)
    (run_dir / "figures").mkdir(exist_ok=True)
    for name, content in pictures.items():
        write_bytes(run_dir / "figures" / f"{name}.png", content)
    page = render_report(run, records, predictions, lang, pictures, _reached_as(run_dir))
    write_text(run_dir / "report.html", page)
    return run_dir / "report.html"


def draw(records: list[dict[str, Any]], predictions: Predictions | None, lang: Lang) -> dict[str, bytes]:
    """The figures of a report as PNG files, by name."""
    made: dict[str, Figure] = {}
    with drawing(lang), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a class may be named by an emoji
        if records:
            made["curves"] = curves(records, lang)
        if predictions is not None and len(predictions.labels):
            made["confusion"] = confusion(predictions, lang)
            made["mistakes"] = mistakes(predictions, lang)
        return {name: png(figure, dpi=DPI) for name, figure in made.items()}


def render_report(
    run: dict[str, Any],
    records: list[dict[str, Any]],
    predictions: Predictions | None,
    lang: Lang,
    pictures: dict[str, bytes] | None = None,
    reached_as: str | None = None,
) -> str:
    """The report as one HTML document without scripts or links to elsewhere.

    Args:
        pictures: what `draw` returned, where it is at hand already.
        reached_as: what the commands call the run by; its name where it is None.
    """
    pictures = draw(records, predictions, lang) if pictures is None else pictures
    document = Document(lang)
    named = [(run.get(part) or {}).get("name") for part in ("model", "data")]
    name = " · ".join(str(each) for each in named if each) or str(run.get("name", "?"))
    parts = [
        _header(document, run, predictions, name),
        _findings(document, run),
        _curves(document, pictures),
        _confusion(document, pictures, predictions),
        _classes(document, predictions),
        _mistakes(document, pictures),
        _use(document, run, reached_as or str(run.get("name", "RUN"))),
        _settings(document, run),
    ]
    return document.page(name, parts)


def _header(document: Document, run: dict[str, Any], predictions: Predictions | None, name: str) -> str:
    result, meaning = summary.headline(run, predictions)
    story = [summary.training(run), summary.recipe(run), summary.calibration(predictions)]
    lead = f'<p class="lead">{document.say(meaning)}</p>' if meaning else ""
    words = (" " if document.lang == "en" else "").join(document.say(each) for each in story if each)
    return f'<header><p class="name">{escape(name)}</p><h1>{document.say(result)}</h1>{lead}<p>{words}</p></header>'


def _findings(document: Document, run: dict[str, Any]) -> str:
    found = (run.get("data") or {}).get("findings") or []
    items = "".join(
        f"<li>{document.say(Text(en=str(each.get('en')), zh=str(each.get('zh'))))}</li>" for each in found
    )
    return document.section(
        Text(en="Noticed about the data", zh="数据检查"), f"<ul>{items}</ul>" if items else ""
    )


def _curves(document: Document, pictures: dict[str, bytes]) -> str:
    if "curves" not in pictures:
        return ""
    caption = Text(
        en="Training: the loss of every step (pale: as measured; strong: smoothed). Validation: on pictures held out of it.",
        zh="训练：每一步的损失（浅色为原始值，深色为平滑值）。验证：在留出的、未参与训练的图片上测得。",
    )
    return document.figure(pictures["curves"], Text(en="How it learnt", zh="学习过程"), caption)


def _confusion(document: Document, pictures: dict[str, bytes], predictions: Predictions | None) -> str:
    if "confusion" not in pictures or predictions is None:
        return ""
    title = Text(en="What it confuses", zh="它会混淆什么")
    return document.figure(pictures["confusion"], title, summary.confusions(predictions))


def _mistakes(document: Document, pictures: dict[str, bytes]) -> str:
    if "mistakes" not in pictures:
        return ""
    caption = Text(
        en="In orange what the network says and how sure it is; below what the picture is labelled as.",
        zh="橙色：网络的判断及其置信度；下方：图片的标签。",
    )
    title = Text(en="Its most confident mistakes", zh="最自信的错误")
    return document.figure(pictures["mistakes"], title, caption)


def _classes(document: Document, predictions: Predictions | None) -> str:
    if predictions is None or not len(predictions.labels):
        return ""
    rows = per_class_table(predictions.labels, predictions.predicted, predictions.classes)
    headings: list[Text | str] = [
        Text(en="class", zh="类别"), Text(en="test pictures", zh="测试图片"), Text(en="precision", zh="精确率"),
        Text(en="recall", zh="召回率"), "F1",
    ]  # fmt: skip
    cells = [
        [row.name, f"{row.support:,}", *map(_percent, (row.precision, row.recall, row.f1))] for row in rows
    ]
    note = Text(
        en="Precision: of the pictures said to be of the class, how many are. Recall: of the pictures of the class, how many "
        "are found. F1: their harmonic mean.",
        zh="精确率：被判为该类的图片中确属该类的比例；召回率：该类图片中被找出的比例；F1：两者的调和平均。",
    )
    body = document.table(headings, cells) + f'<p class="note">{document.say(note)}</p>'
    return document.section(Text(en="Class by class", zh="逐类结果"), body)


def _use(document: Document, run: dict[str, Any], reached_as: str) -> str:
    name = shlex.quote(reached_as)
    lines = [
        (Text(en="say what is in a picture", zh="识别图片"), f"etude predict {name} PICTURE.jpg"),
        (Text(en="measure it on other pictures", zh="在其他图片上评估"), f"etude evaluate {name} FOLDER"),
    ]
    if run.get("status") != "finished":
        lines.insert(0, (Text(en="carry it on", zh="继续训练"), f"etude resume {name}"))
    body = "".join(
        f"<dt>{document.say(what)}</dt><dd><code>{escape(command)}</code></dd>" for what, command in lines
    )
    return document.section(Text(en="Use it", zh="使用"), f"<dl>{body}</dl>")


def _settings(document: Document, run: dict[str, Any]) -> str:
    rows: list[list[str]] = []
    for group in ("recipe", "choices", "versions"):
        rows += [
            [f"{group}.{key}", _plain(value)]
            for key, value in (run.get(group) or {}).items()
            if value is not None
        ]
    data = run.get("data") or {}
    rows += [
        [f"data.{key}", _plain(data[key])] for key in ("fingerprint", "split", "mean", "std") if key in data
    ]
    if not rows:
        return ""
    title = Text(en="Everything that was set", zh="全部设置")
    table = document.table([Text(en="setting", zh="设置"), Text(en="value", zh="值")], rows)
    return f"<details><summary>{document.say(title)}</summary>{table}</details>"


def _reached_as(run_dir: Path) -> str:
    """What a command finds the run by: its name in the folder of runs, else its path, short from the current folder."""
    path = Path(os.path.abspath(run_dir))
    try:
        runs, here = Path(os.path.abspath(runs_dir())), Path.cwd()
    except OSError:  # the current folder was deleted meanwhile
        return str(path)
    if path.parent == runs:
        return path.name
    return str(path.relative_to(here)) if here in path.parents else str(path)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
