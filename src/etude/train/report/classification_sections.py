"""What a report says of a classifier: what it confuses, class by class, how sure it is, its worst mistakes."""

from __future__ import annotations

from matplotlib.figure import Figure

from etude.core.text import Lang, Text
from etude.train.report import summary
from etude.train.report.calibration import calibration
from etude.train.report.confusion import confusion
from etude.train.report.document import Document
from etude.train.report.labels import share
from etude.train.report.nouns import Noun
from etude.train.report.per_class import per_class
from etude.train.report.pictures import mistakes
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import per_class_table

_MOST_MISTAKES = 24


def figures(predictions: Predictions, lang: Lang) -> dict[str, Figure]:
    """The figures, by name. Call it inside `etude.core.plotting.drawing`."""
    made = {
        "confusion": confusion(predictions, lang),
        "per_class": per_class(predictions, lang),
        "calibration": calibration(predictions, lang),
    }
    if predictions.images is not None:
        made["mistakes"] = mistakes(predictions, lang, _MOST_MISTAKES)
    return made


def sections(document: Document, pictures: dict[str, bytes], predictions: Predictions, of: Noun) -> list[str]:
    """The sections of the page, in order; ``pictures`` are `figures` as PNG files."""
    return [
        document.figure(
            pictures["confusion"],
            Text(en="What it confuses", zh="它会混淆什么"),
            summary.confusions(predictions, of),
        ),
        _classes(document, pictures, predictions, of),
        _calibration(document, pictures, predictions, of),
        _mistakes(document, pictures, of)
        if "mistakes" in pictures
        else _mistaken_rows(document, predictions, of),
    ]


def _classes(document: Document, pictures: dict[str, bytes], predictions: Predictions, of: Noun) -> str:
    rows = per_class_table(predictions.labels, predictions.predicted, predictions.classes)
    title = Text(en="Class by class", zh="逐类结果")
    headings: list[Text | str] = [
        Text(en="class", zh="类别"), Text(en=f"test {of.many}", zh=f"测试{of.zh}"), Text(en="precision", zh="精确率"),
        Text(en="recall", zh="召回率"), "F1",
    ]  # fmt: skip
    cells = [
        [row.name, f"{row.support:,}", *map(_percent, (row.precision, row.recall, row.f1))] for row in rows
    ]
    note = Text(
        en=f"Precision: of the {of.many} said to be of the class, how many are. Recall: of the {of.many} of the class, how "
        "many are found. F1: their harmonic mean.",
        zh=f"精确率：被判为该类的{of.zh}中确属该类的比例；召回率：该类{of.zh}中被找出的比例；F1：两者的调和平均。",
    )
    image = f"<figure>{document.image(pictures['per_class'], title)}</figure>"
    body = image + document.table(headings, cells) + f'<p class="note">{document.say(note)}</p>'
    return document.section(title, body)


def _calibration(document: Document, pictures: dict[str, bytes], predictions: Predictions, of: Noun) -> str:
    found = summary.calibration(predictions)
    caption = Text(
        en=f"{found.en} A point is the {of.many} of about one confidence, its bar the 95% interval. On the dashed line it is "
        "as often right as it says.",
        zh=f"{found.zh}每个点是置信度相近的一组{of.zh}，竖线为 95% 区间；落在虚线上表示置信度与正确率一致。",
    )
    return document.figure(
        pictures["calibration"],
        Text(en="How far its confidence can be believed", zh="它的置信度可信吗"),
        caption,
    )


def _mistakes(document: Document, pictures: dict[str, bytes], of: Noun) -> str:
    caption = Text(
        en=f"In orange what the network says and how sure it is; below what the {of.one} is labelled as.",
        zh=f"橙色：网络的判断及其置信度；下方：{of.zh}的标签。",
    )
    return document.figure(
        pictures["mistakes"], Text(en="Its most confident mistakes", zh="最自信的错误"), caption
    )


def _mistaken_rows(document: Document, predictions: Predictions, of: Noun) -> str:
    title = Text(en="Its most confident mistakes", zh="最自信的错误")
    worst = predictions.worst(_MOST_MISTAKES)
    if not len(worst):
        none = Text(en=f"No {of.one} is mistaken.", zh=f"没有判断错误的{of.zh}。")
        return document.section(title, f"<p>{document.say(none)}</p>")
    rows = predictions.rows if predictions.rows is not None else range(len(predictions))
    classes, predicted = predictions.classes, predictions.predicted
    cells = [
        [f"{rows[i] + 1:,}", classes[predicted[i]], share(float(predictions.confidence[i])), classes[predictions.labels[i]]]
        for i in worst
    ]  # fmt: skip
    headings: list[Text | str] = [
        Text(en="row", zh="行"), Text(en="it says", zh="网络的判断"), Text(en="how sure", zh="置信度"),
        Text(en="it is", zh="实际类别"),
    ]  # fmt: skip
    return document.section(title, document.table(headings, cells) + row_note(document))


def row_note(document: Document) -> str:
    """How rows are counted."""
    words = Text(en="Rows are counted from 1; a header is not counted.", zh="行号从 1 开始，不计表头。")
    return f'<p class="note">{document.say(words)}</p>'


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
