"""What is taken for what."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure

from etude.core.plotting import word
from etude.core.text import Lang, Text
from etude.train.report.labels import shortened
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import commonest_confusions, confusion_counts

_MOST_LABELS = 20
_MOST_COUNTS = 12
# no darker than black figures can be read on
_ORANGES = LinearSegmentedColormap.from_list("mistakes", ["#FFFFFF", "#FBE3CF", "#EFA66E", "#D55E00"])
_RIGHT = ListedColormap(["#DCE9F2"])


def confusion(predictions: Predictions, lang: Lang) -> Figure:
    """The confusion matrix in percent of each row; mistakes are coloured on their own scale, so that they show.

    Up to 20 classes every cell is written out (up to 12 with its count below the percentage); beyond that the
    commonest confusions are listed beside the matrix.
    """
    classes = predictions.classes
    counts = confusion_counts(predictions.labels, predictions.predicted, len(classes))
    few = len(classes) <= _MOST_LABELS
    side = min(max(2.6 + 0.5 * len(classes), 4.6), 9.5) if few else 7.5
    figure = Figure(figsize=(side if few else side + 4, side * 0.9), layout="constrained")
    axes = figure.subplots(1, 1 if few else 2, width_ratios=None if few else [2, 1], squeeze=False)[0]
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    _colour(axes[0], shares)
    if few:
        _write(axes[0], shares, counts)
    _name(axes[0], classes, lang)
    if not few:
        _list(axes[1], counts, classes, lang)
    return figure


def _colour(axes: Axes, shares: np.ndarray) -> None:
    off = shares.copy()
    np.fill_diagonal(off, 0)
    # mistakes rarer than 1 % of a row stay pale, however good the network is
    axes.imshow(off, cmap=_ORANGES, vmin=0, vmax=max(off.max(), 1.0))
    axes.imshow(np.where(np.eye(len(shares), dtype=bool), 1.0, np.nan), cmap=_RIGHT)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(axes: Axes, shares: np.ndarray, counts: np.ndarray) -> None:
    counted = len(shares) <= _MOST_COUNTS
    size = 9.5 if counted else 6.5
    for row, column in zip(*np.nonzero(counts)):
        value = shares[row, column]
        place: dict[str, Any] = {
            "ha": "center",
            "weight": "bold" if row == column else "normal",
            "fontsize": size,
            "in_layout": False,  # measuring two hundred words that lie inside the axes takes longer than drawing them
        }
        text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
        axes.text(column, row, text, va="bottom" if counted else "center", **place)
        if counted:
            axes.text(
                column,
                row + 0.06,
                f"{counts[row, column]:,}",
                ha="center",
                va="top",
                fontsize=6.5,
                in_layout=False,
            )


def _name(axes: Axes, classes: tuple[str, ...], lang: Lang) -> None:
    ticks = range(0, len(classes), -(-len(classes) // _MOST_LABELS))
    names = [shortened(classes[i], 16) for i in ticks]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0)
    axes.set_xlabel(word(Text(en="the network says", zh="网络的判断"), lang))
    axes.set_ylabel(word(Text(en="it is", zh="实际类别"), lang))
    title = Text(en="Confusion matrix (% of each row)", zh="混淆矩阵（占每行的 %）")
    if len(classes) <= _MOST_COUNTS:
        title = Text(en="Confusion matrix\n% of each row; small: count", zh="混淆矩阵\n占每行的 %；小字：数量")
    axes.set_title(word(title, lang), linespacing=1.4)


def _list(axes: Axes, counts: np.ndarray, classes: tuple[str, ...], lang: Lang) -> None:
    axes.axis("off")
    axes.set_title(word(Text(en="Commonest confusions", zh="最常见的混淆"), lang))
    lines = [
        f"{often} ×  {shortened(classes[row], 18)} → {shortened(classes[column], 18)}"
        for row, column, often in commonest_confusions(counts, 18)
    ]
    axes.text(0, 0.98, "\n".join(lines), va="top", transform=axes.transAxes, linespacing=1.5, fontsize=9)
