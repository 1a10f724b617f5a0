"""Class by class: what is found of it, and what is rightly called so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.train.report.labels import shortened
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import confusion_counts, wilson_interval

_MOST_CLASSES = 30
_RECALL: dict[str, Any] = {"color": COLOURS[0], "marker": "o"}
_PRECISION: dict[str, Any] = {"color": COLOURS[1], "marker": "D"}


def per_class(predictions: Predictions, lang: Lang) -> Figure:
    """Recall and precision of every class with 95 % intervals (Wilson), the class least often found first.

    Of more than 30 classes the 30 least often found are drawn. A class of which there is no example has no recall, one
    that is never said no precision: nothing is drawn there.
    """
    counts = confusion_counts(predictions.labels, predictions.predicted, len(predictions.classes))
    right, support, said = np.diag(counts), counts.sum(1), counts.sum(0)
    order = [int(i) for i in np.argsort(_share(right, support), kind="stable") if support[i] or said[i]]
    shown = order[:_MOST_CLASSES]
    figure = Figure(figsize=(7.6, 1.5 + 0.34 * max(len(shown), 2)), layout="constrained")
    axes = figure.subplots()
    for height, index in enumerate(shown):
        _mark(axes, height - 0.14, int(right[index]), int(support[index]), _RECALL)
        _mark(axes, height + 0.14, int(right[index]), int(said[index]), _PRECISION)
    names = [f"{shortened(predictions.classes[i], 22)}  ({support[i]:,})" for i in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    for height in range(1, len(shown), 2):
        axes.axhspan(height - 0.5, height + 0.5, color="#F6F7F8", zorder=0)
    low = axes.get_xlim()[0]
    axes.set_xlim(max(0.0, 10 * math.floor(low / 10)), 101.5)
    axes.set_xlabel(word(Text(en="share (%), with its 95% interval", zh="比例（%）及其 95% 区间"), lang))
    axes.set_title(word(_title(predictions.classes, counts, shown, len(order)), lang), linespacing=1.4)
    _legend(axes, figure, lang)
    return figure


def _share(right: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, right / np.maximum(count, 1), np.inf)  # no example: last


def _mark(axes: Axes, height: float, right: int, count: int, look: dict[str, Any]) -> None:
    if not count:
        return
    low, high = (100 * end for end in wilson_interval(right, count))
    axes.plot(
        [low, high], [height, height], color=look["color"], linewidth=1.8, alpha=0.5, solid_capstyle="butt"
    )
    axes.plot(100 * right / count, height, linestyle="", markersize=6, markeredgecolor="white", **look)


def _title(classes: tuple[str, ...], counts: np.ndarray, shown: list[int], known: int) -> Text:
    words = Text(en="Class by class", zh="逐类结果")
    first = shown[0] if shown else None
    if first is not None and counts[first].sum():
        share = counts[first, first] / counts[first].sum()
        name = shortened(classes[first], 22)
        words = Text(
            en="Hardest to find: {name} ({share:.0%} found)",
            zh="最难识别的类别：{name}（识别出 {share:.0%}）",
        ).format(name=name, share=share)
        if share == 1:
            words = Text(en="No mistake in any class", zh="各类别均无错误")
    if known > len(shown):
        return Text(
            en=f"{words.en}\nthe {len(shown)} hardest of {known} classes",
            zh=f"{words.zh}\n共 {known} 类，显示最难的 {len(shown)} 类",
        )
    return words


def _legend(axes: Axes, figure: Figure, lang: Lang) -> None:
    lines = (
        (_RECALL, Text(en="recall: of the examples of the class, those found", zh="召回率：该类样本中被识别出来的比例")),
        (_PRECISION, Text(en="precision: of those called so, the ones that are", zh="精确率：被判为该类的样本中确属该类的比例")),
    )  # fmt: skip
    handles = [
        axes.plot([], [], linestyle="", markersize=6, label=word(words, lang), **look)[0]
        for look, words in lines
    ]
    figure.legend(handles=handles, loc="outside lower center", fontsize=9)
