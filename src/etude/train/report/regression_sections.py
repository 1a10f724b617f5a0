"""What a report says of predicted numbers: how far off they are, and which most."""

from __future__ import annotations

from matplotlib.figure import Figure

from etude.core.text import Lang, Text
from etude.train.report.classification_sections import row_note
from etude.train.report.document import Document
from etude.train.report.labels import number
from etude.train.report.predictions import RegressionPredictions
from etude.train.report.residuals import residuals

_MOST_ERRORS = 15


def figures(predictions: RegressionPredictions, lang: Lang) -> dict[str, Figure]:
    """The figures, by name. Call it inside `etude.core.plotting.drawing`."""
    return {"residuals": residuals(predictions, lang)}


def sections(document: Document, pictures: dict[str, bytes], predictions: RegressionPredictions) -> list[str]:
    """The sections of the page, in order; ``pictures`` are `figures` as PNG files."""
    caption = Text(
        en="Left: on the dashed line a prediction is exactly right. Middle: what is left over should show no pattern; where it "
        "bends, fans out or leans, there is something the network has not learnt. Right: how often errors of each size occur; "
        "the band is one RMSE to either side.",
        zh="左：落在虚线上表示预测完全正确。中：残差应当看不出规律；若弯曲、呈扇形或倾斜，说明还有网络没学到的东西。"
        "右：各种大小的误差出现的次数；色带为正负一个 RMSE。",
    )
    title = Text(en="How far off it is", zh="误差有多大")
    return [document.figure(pictures["residuals"], title, caption), _largest(document, predictions)]


def _largest(document: Document, predictions: RegressionPredictions) -> str:
    rows = predictions.rows if predictions.rows is not None else range(len(predictions))
    left = predictions.residuals
    cells = [
        [f"{rows[i] + 1:,}", *(number(float(v)) for v in (predictions.targets[i], predictions.predictions[i], left[i]))]
        for i in predictions.worst(_MOST_ERRORS)
    ]  # fmt: skip
    headings: list[Text | str] = [
        Text(en="row", zh="行"), Text(en="measured", zh="实测"), Text(en="predicted", zh="预测"),
        Text(en="measured − predicted", zh="实测 − 预测"),
    ]  # fmt: skip
    return document.section(
        Text(en="Its largest errors", zh="最大的误差"), document.table(headings, cells) + row_note(document)
    )
