"""What is taken for what."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from etude.core.plotting import word
from etude.core.text import Lang, Text
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import commonest_confusions, confusion_counts

_MOST_LABELS = 20
_ORANGES = LinearSegmentedColormap.from_list("mistakes", ["#FFFFFF", "#FBE3CF", "#D55E00", "#7A3600"])
_RIGHT = "#DCE9F2"


def confusion(predictions: Predictions, lang: Lang) -> Figure:
    """The confusion matrix in percent of each row; mistakes are coloured on their own scale, so that they show.

    Up to 20 classes every cell is written out; beyond that the commonest confusions are listed beside it.
    """
    classes = predictions.classes
    counts = confusion_counts(predictions.labels, predictions.predicted, len(classes))
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    few = len(classes) <= _MOST_LABELS
    side = min(max(3.0 + 0.46 * len(classes), 4.5), 9.0) if few else 7.5
    figure = Figure(figsize=(side if few else side + 4, side * 0.9), layout="constrained")
    axes = figure.subplots(1, 1 if few else 2, width_ratios=None if few else [2, 1], squeeze=False)[0]
    _matrix(axes[0], shares, counts, few)
    step = 1 if few else -(-len(classes) // _MOST_LABELS)
    ticks = range(0, len(classes), step)
    axes[0].set_xticks(
        ticks, [_short(classes[i]) for i in ticks], rotation=45, ha="right", rotation_mode="anchor"
    )
    axes[0].set_yticks(ticks, [_short(classes[i]) for i in ticks])
    axes[0].set_xlabel(word(Text(en="the network says", zh="网络的判断"), lang))
    axes[0].set_ylabel(word(Text(en="it is", zh="实际类别"), lang))
    axes[0].set_title(
        word(Text(en="What is taken for what (% of each row)", zh="混淆矩阵（占每行的 %）"), lang)
    )
    if not few:
        _worst(axes[1], counts, classes, lang)
    return figure


def _matrix(axes: Axes, shares: np.ndarray, counts: np.ndarray, written: bool) -> None:
    off = shares.copy()
    np.fill_diagonal(off, 0)
    scale = max(off.max(), 1e-9)
    axes.imshow(np.where(counts > 0, off, np.nan), cmap=_ORANGES, vmin=0, vmax=scale)
    diagonal = np.where(np.eye(len(shares), dtype=bool), 1.0, np.nan)
    axes.imshow(diagonal, cmap=LinearSegmentedColormap.from_list("right", [_RIGHT, _RIGHT]))
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not written:
        return
    size = 9 if len(shares) <= 12 else 6.5
    for row, column in zip(*np.nonzero(counts)):
        dark = row != column and off[row, column] > 0.55 * scale
        value = shares[row, column]
        text = f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"
        weight = "bold" if row == column else "normal"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=size,
            weight=weight,
            color="white" if dark else "black",
        )


def _worst(axes: Axes, counts: np.ndarray, classes: tuple[str, ...], lang: Lang) -> None:
    axes.axis("off")
    axes.set_title(word(Text(en="Commonest confusions", zh="最常见的混淆"), lang))
    lines = [
        f"{often} ×  {_short(classes[row])} → {_short(classes[column])}"
        for row, column, often in commonest_confusions(counts, 18)
    ]
    axes.text(0, 0.98, "\n".join(lines), va="top", transform=axes.transAxes, linespacing=1.5)


def _short(name: str, most: int = 14) -> str:
    name = name.replace("$", r"\$")
    return name if len(name) <= most else name[: most - 1] + "…"
