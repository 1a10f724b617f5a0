"""Several runs in one picture."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.train.report.labels import shortened

_DASHES = ("-", "--", ":", "-.")
_COLOURS = COLOURS[:7]  # the eighth, yellow, is hard to see on white; 7 and 4 repeat together only after 28


def compare(runs: list[tuple[str, list[dict[str, Any]]]], lang: Lang) -> Figure:
    """Validation loss and accuracy of several runs against the epoch; training loss where nothing was held out.

    Args:
        runs: a name and the lines of ``metrics.jsonl`` for each.
        lang: of the labels.
    """
    figure = Figure(figsize=(10, 3.8 + 0.2 * -(-len(runs) // 2)), layout="constrained")
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    for number, (name, records) in enumerate(runs):
        epochs = [r for r in records if r["kind"] == "epoch"]
        judged = [r for r in epochs if r.get("validation")]
        look: dict[str, Any] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "linestyle": _DASHES[number % len(_DASHES)],
            "label": shortened(name, 44),
        }
        if not judged:
            look["label"] += word(Text(en=" (training loss)", zh="（训练损失）"), lang)
        part = "validation" if judged else "train"
        _plot(loss_axes, judged or epochs, part, "loss", 1, look)
        _plot(accuracy_axes, judged, "validation", "accuracy", 100, look)
    loss_axes.set_title(word(Text(en="Loss on the validation part", zh="验证集损失"), lang))
    loss_axes.set_ylabel(word(Text(en="cross-entropy (nats)", zh="交叉熵（奈特）"), lang))
    loss_axes.set_ylim(bottom=0)
    accuracy_axes.set_title(word(Text(en="Accuracy on the validation part", zh="验证集准确率"), lang))
    accuracy_axes.set_ylabel(word(Text(en="right (%)", zh="正确（%）"), lang))
    for each in (loss_axes, accuracy_axes):
        each.set_xlabel(word(Text(en="epochs trained", zh="已训练轮数"), lang))
        each.set_xlim(left=0)
        each.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    figure.legend(*loss_axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _plot(
    axes: Axes, epochs: list[dict[str, Any]], part: str, metric: str, scale: float, look: dict[str, Any]
) -> None:
    values = [(r["epoch"] + 1, r[part].get(metric)) for r in epochs]
    there = [(epoch, scale * value) for epoch, value in values if value is not None]
    marker: dict[str, Any] = {"marker": "o", "markersize": 3} if len(there) <= 40 else {}
    axes.plot([epoch for epoch, _ in there], [value for _, value in there], **look, **marker)
