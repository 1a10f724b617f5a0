"""The report of a run: one file of HTML that needs nothing else, and its figures as pictures."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from etude.core.files import write_bytes, write_text
from etude.core.plotting import drawing, png
from etude.core.text import Lang, Text
from etude.train.report.confusion import confusion
from etude.train.report.curves import curves
from etude.train.report.pictures import mistakes
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import calibration_error, per_class_table, wilson_interval
from etude.train.report.style import CSS

_DPI = 110


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
    write_text(run_dir / "report.html", render_report(run, records, predictions, lang, pictures))
    return run_dir / "report.html"


def draw(records: list[dict[str, Any]], predictions: Predictions | None, lang: Lang) -> dict[str, bytes]:
    """The figures of a report as PNG files, by name."""
    made: dict[str, Figure] = {}
    with drawing(lang):
        if records:
            made["curves"] = curves(records, lang)
        if predictions is not None and len(predictions.labels):
            made["confusion"] = confusion(predictions, lang)
            made["mistakes"] = mistakes(predictions, lang)
        return {name: png(figure, dpi=_DPI) for name, figure in made.items()}


def render_report(
    run: dict[str, Any],
    records: list[dict[str, Any]],
    predictions: Predictions | None,
    lang: Lang,
    pictures: dict[str, bytes] | None = None,
) -> str:
    """The report as one HTML document without scripts or links to elsewhere.

    Args:
        pictures: what `draw` returned, where it is at hand already.
    """
    pictures = draw(records, predictions, lang) if pictures is None else pictures
    page = _Page(lang)
    name = f"{_get(run, 'model', 'name')} · {_get(run, 'data', 'name')}"
    parts = [
        _headline(page, run, predictions, name),
        _findings(page, run),
        page.figure("curves", pictures, Text(en="How it learnt", zh="学习过程"), Text(
            en="Loss on every step (pale: as measured; strong: smoothed), and on held-out pictures after every epoch.",
            zh="每一步的损失（浅色为原始值，深色为平滑值），以及每轮结束后在留出图片上的损失。")),
        page.figure("confusion", pictures, Text(en="What it confuses", zh="它会混淆什么"), Text(
            en="Rows: what a test picture is. Columns: what the network says. Orange cells are mistakes.",
            zh="行：测试图片的实际类别；列：网络的判断。橙色格子是错误。")),
        _classes(page, predictions),
        page.figure("mistakes", pictures, Text(en="Its most confident mistakes", zh="最自信的错误"), Text(
            en="In orange what the network says and how sure it is; below what the picture is labelled as.",
            zh="橙色：网络的判断及其把握；下方：图片的标签。")),
        _use(page, run),
        _settings(page, run),
    ]  # fmt: skip
    return page.document(name, parts)


class _Page:
    """Pieces of HTML in one language; everything that is put in is escaped."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def say(self, text: Text | str) -> str:
        return escape(text.to(self.lang) if isinstance(text, Text) else text)

    def section(self, title: Text, body: str) -> str:
        return f"<section><h2>{self.say(title)}</h2>{body}</section>" if body else ""

    def figure(self, name: str, pictures: dict[str, bytes], title: Text, caption: Text) -> str:
        if name not in pictures:
            return ""
        data = base64.b64encode(pictures[name]).decode()
        alt = self.say(Text(en=f"{title.en}. {caption.en}", zh=f"{title.zh}。{caption.zh}"))
        return self.section(
            title,
            f'<figure><img src="data:image/png;base64,{data}" alt="{alt}"><figcaption>{self.say(caption)}</figcaption></figure>',
        )

    def table(self, headings: list[Text | str], rows: list[list[str]]) -> str:
        head = "".join(f'<th scope="col">{self.say(heading)}</th>' for heading in headings)
        body = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

    def document(self, title: str, parts: list[str]) -> str:
        language = "zh-CN" if self.lang == "zh" else "en"
        return (
            f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>étude: {escape(title)}</title>'
            f"<style>{CSS}</style></head>\n<body><main>\n"
            + "\n".join(part for part in parts if part)
            + "\n</main></body></html>\n"
        )


def _headline(page: _Page, run: dict[str, Any], predictions: Predictions | None, name: str) -> str:
    results = run.get("results") or {}
    lines = [f'<header><p class="name">{escape(name)}</p>']
    accuracy = results.get("test_accuracy")
    if accuracy is not None:
        lines.append(f"<h1>{accuracy:.2%}</h1>")
        count = len(predictions.labels) if predictions is not None else _get(run, "data", "split", "test")
        if isinstance(count, int):
            low, high = wilson_interval(round(accuracy * count), count)
            words = Text(
                en=f"of {count:,} test pictures are told right, none of which it saw in training. On endlessly many such "
                f"pictures it would be between {low:.2%} and {high:.2%} (95 % interval).",
                zh=f"的测试图片判断正确（共 {count:,} 张，训练中从未见过）。若有无穷多张同类图片，"
                f"正确率会在 {low:.2%} 与 {high:.2%} 之间（95% 区间）。",
            )
            lines.append(f'<p class="lead">{page.say(words)}</p>')
    else:
        lines.append(f"<h1>{page.say(Text(en='Not finished', zh='尚未完成'))}</h1>")
    lines.append(f"<p>{page.say(_story(run, results, predictions))}</p></header>")
    return "".join(lines)


def _story(run: dict[str, Any], results: dict[str, Any], predictions: Predictions | None) -> Text:
    size = _get(run, "data", "split", "train")
    pictures = f"{size:,}" if isinstance(size, int) else "?"
    parameters = _get(run, "model", "parameters")
    count = f"{parameters:,}" if isinstance(parameters, int) else "?"
    epochs, seconds = results.get("epochs", "?"), results.get("train_seconds")
    took = f"{seconds:.1f}" if isinstance(seconds, int | float) else "?"
    en = f"{count} parameters, trained on {pictures} pictures for {epochs} epochs in {took} s"
    zh = f"{count} 个参数，在 {pictures} 张图片上训练 {epochs} 轮，用时 {took} 秒"
    en += f" ({_get(run, 'choices', 'device')}, {_get(run, 'choices', 'precision')})."
    zh += f"（{_get(run, 'choices', 'device')}，{_get(run, 'choices', 'precision')}）。"
    if predictions is not None and len(predictions.labels):
        gap = calibration_error(predictions.confidence, predictions.predicted == predictions.labels)
        en += f" Its stated confidence is off by {gap:.1%} on average."
        zh += f"它给出的把握与实际正确率平均相差 {gap:.1%}。"
    return Text(en=en, zh=zh)


def _findings(page: _Page, run: dict[str, Any]) -> str:
    found = (run.get("data") or {}).get("findings") or []
    items = "".join(
        f"<li>{page.say(Text(en=str(each.get('en')), zh=str(each.get('zh'))))}</li>" for each in found
    )
    return page.section(Text(en="Noticed about the data", zh="数据检查"), f"<ul>{items}</ul>" if items else "")


def _classes(page: _Page, predictions: Predictions | None) -> str:
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
    body = page.table(headings, cells) + f'<p class="note">{page.say(note)}</p>'
    return page.section(Text(en="Class by class", zh="逐类结果"), body)


def _use(page: _Page, run: dict[str, Any]) -> str:
    name = escape(str(run.get("name", "RUN")))
    lines = [
        (Text(en="say what is in a picture", zh="识别图片"), f"etude predict {name} PICTURE.jpg"),
        (Text(en="measure it on other pictures", zh="在其他图片上评估"), f"etude evaluate {name} FOLDER"),
    ]
    if run.get("status") != "finished":
        lines.insert(0, (Text(en="carry it on", zh="继续训练"), f"etude resume {name}"))
    body = "".join(f"<dt>{page.say(what)}</dt><dd><code>{command}</code></dd>" for what, command in lines)
    return page.section(Text(en="Use it", zh="使用"), f"<dl>{body}</dl>")


def _settings(page: _Page, run: dict[str, Any]) -> str:
    rows: list[list[str]] = []
    for group in ("recipe", "choices", "versions"):
        rows += [
            [f"{group}.{key}", str(value)] for key, value in (run.get(group) or {}).items() if value is not None
        ]
    data = run.get("data") or {}
    rows += [[f"data.{key}", str(data[key])] for key in ("fingerprint", "split", "mean", "std") if key in data]
    if not rows:
        return ""
    title = Text(en="Everything that was set", zh="全部设置")
    table = page.table([Text(en="setting", zh="设置"), Text(en="value", zh="值")], rows)
    return f"<details><summary>{page.say(title)}</summary>{table}</details>"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _get(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return "?" if content is None else content
