"""The report of a run: one file of HTML that needs nothing else, and its figures as pictures."""

from __future__ import annotations

import json
import shlex
import warnings
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from etude.core.files import write_bytes, write_text
from etude.core.plotting import drawing, png
from etude.core.text import Lang, Text
from etude.train.report import classification_sections, regression_sections, summary
from etude.train.report.curves import curves
from etude.train.report.document import DPI, Document
from etude.train.report.nouns import ROWS, is_regression, noun
from etude.train.report.predictions import Predictions, RegressionPredictions
from etude.train.report.range_test import range_test
from etude.train.report.regression_statistics import RegressionSummary, summarise
from etude.train.run import reached_as

Found = Predictions | RegressionPredictions | None


def write_report(
    run_dir: Path,
    run: dict[str, Any],
    records: list[dict[str, Any]],
    predictions: Found,
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
    pictures = draw(records, predictions, lang, is_regression(run), run.get("range_test"))
    (run_dir / "figures").mkdir(exist_ok=True)
    for name, content in pictures.items():
        write_bytes(run_dir / "figures" / f"{name}.png", content)
    page = render_report(run, records, predictions, lang, pictures, reached_as(run_dir))
    write_text(run_dir / "report.html", page)
    return run_dir / "report.html"


def draw(
    records: list[dict[str, Any]],
    predictions: Found,
    lang: Lang,
    regression: bool = False,
    tested: dict[str, Any] | None = None,
) -> dict[str, bytes]:
    """The figures of a report as PNG files, by name.

    Args:
        records: the lines of ``metrics.jsonl``.
        predictions: of the test part, or None.
        lang: of the words.
        regression: whether the losses in ``records`` are those of a regression.
        tested: what the range test for the learning rate found, if there was one.
    """
    made: dict[str, Figure] = {}
    with drawing(lang), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a class may be named by an emoji
        if records:
            made["curves"] = curves(records, lang, regression)
        if tested:
            from etude.train.range_test import RangeTest  # it brings torch, which a report else does without

            made["learning_rate"] = range_test(RangeTest(**tested), lang)
        if isinstance(predictions, RegressionPredictions) and len(predictions):
            made |= regression_sections.figures(predictions, lang)
        elif isinstance(predictions, Predictions) and len(predictions):
            made |= classification_sections.figures(predictions, lang)
        return {name: png(figure, dpi=DPI) for name, figure in made.items()}


def render_report(
    run: dict[str, Any],
    records: list[dict[str, Any]],
    predictions: Found,
    lang: Lang,
    pictures: dict[str, bytes] | None = None,
    reached_as: str | None = None,
) -> str:
    """The report as one HTML document without scripts or links to elsewhere.

    Args:
        run: the content of ``run.json``; where ``measured_on`` is in it, ``predictions`` and its ``results`` are of those
            data and not of the run's own test part.
        pictures: what `draw` returned, where it is at hand already.
        reached_as: what the commands call the run by; its name where it is None.
    """
    if pictures is None:
        pictures = draw(records, predictions, lang, is_regression(run), run.get("range_test"))
    document = Document(lang)
    named = [(run.get(part) or {}).get("name") for part in ("model", "data")]
    name = " · ".join(str(each) for each in named if each) or str(run.get("name", "?"))
    of, body, errors = noun(run), [], None
    if isinstance(predictions, RegressionPredictions) and len(predictions):
        errors = summarise(predictions)
        body = regression_sections.sections(document, pictures, predictions)
    elif isinstance(predictions, Predictions) and len(predictions):
        body = classification_sections.sections(document, pictures, predictions, of)
    parts = [
        _header(document, run, predictions, errors, name),
        _findings(document, run),
        _curves(document, pictures, run),
        _learning_rate(document, pictures),
        *body,
        _use(document, run, reached_as or str(run.get("name", "RUN"))),
        _reasons(document, run),
        _settings(document, run),
    ]
    return document.page(name, parts)


def _header(
    document: Document, run: dict[str, Any], predictions: Found, errors: RegressionSummary | None, name: str
) -> str:
    result, meaning = summary.headline(run, predictions, errors)
    story = [summary.target(run), summary.training(run), summary.recipe(run)]
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


def _learning_rate(document: Document, pictures: dict[str, bytes]) -> str:
    if "learning_rate" not in pictures:
        return ""
    return document.figure(
        pictures["learning_rate"],
        Text(en="How the learning rate was found", zh="学习率是怎样找到的"),
        Text(
            en="A copy of the network made one step with each learning rate, from far too small to far too large (Smith 2017).",
            zh="网络的一个副本用由小到大的每个学习率各走一步（Smith 2017）。",
        ),
    )


def _curves(document: Document, pictures: dict[str, bytes], run: dict[str, Any]) -> str:
    if "curves" not in pictures:
        return ""
    of = noun(run)
    caption = Text(
        en=f"Training: the loss of every step (pale: as measured; strong: smoothed). Validation: on {of.many} held out of it.",
        zh=f"训练：每一步的损失（浅色为原始值，深色为平滑值）。验证：在留出的、未参与训练的{of.zh}上测得。",
    )
    if is_regression(run):
        caption = Text(
            en=f"{caption.en} A loss of 1 is what always saying the mean is worth.",
            zh=f"{caption.zh}损失为 1 相当于总是猜均值。",
        )
    return document.figure(pictures["curves"], Text(en="How it learnt", zh="学习过程"), caption)


def _use(document: Document, run: dict[str, Any], reached_as: str) -> str:
    name = shlex.quote(reached_as)
    table, picture, folder = (
        word.to(document.lang)
        for word in (
            Text(en="TABLE.csv", zh="表格.csv"),
            Text(en="PICTURE.jpg", zh="图片.jpg"),
            Text(en="FOLDER", zh="文件夹"),
        )
    )
    if noun(run) is ROWS:
        lines = [
            (Text(en="predict other rows", zh="预测其他数据"), f"etude predict {name} {table}"),
            (Text(en="measure it on other rows", zh="在其他数据上评估"), f"etude evaluate {name} {table}"),
        ]
    else:
        lines = [
            (Text(en="say what is in a picture", zh="识别图片"), f"etude predict {name} {picture}"),
            (Text(en="measure it on other pictures", zh="在其他图片上评估"), f"etude evaluate {name} {folder}"),
        ]
    if run.get("status") != "finished":
        lines.insert(0, (Text(en="carry it on", zh="继续训练"), f"etude resume {name}"))
    body = "".join(
        f"<dt>{document.say(what)}</dt><dd><code>{escape(command)}</code></dd>" for what, command in lines
    )
    return document.section(Text(en="Use it", zh="使用"), f"<dl>{body}</dl>")


def _reasons(document: Document, run: dict[str, Any]) -> str:
    reasons = [Text(en=str(each.get("en")), zh=str(each.get("zh"))) for each in run.get("reasons") or []]
    items = "".join(f"<li>{document.say(reason)}</li>" for reason in reasons)
    title = document.say(Text(en="How it was computed", zh="计算方式"))
    return f"<details><summary>{title}</summary><ul>{items}</ul></details>" if items else ""


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


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
