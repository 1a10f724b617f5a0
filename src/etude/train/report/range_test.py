"""What a range test saw: the loss against the learning rate, and the rate that follows from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, label, note
from etude.core.text import Lang, Text, same

if TYPE_CHECKING:
    from etude.train.range_test import RangeTest

_LINE, _CHOSEN = COLOURS[0], COLOURS[1]
_ROOM = 0.26  # of the height above the loss at the start, for words and for what explodes
_NARROW = 0.08  # share of the width in which there is no room for words
_MOST_BEFORE = 1000  # so many times smaller than the fastest: nothing is to be seen of still smaller rates


def range_test(test: RangeTest, lang: Lang) -> Figure:
    """The loss against the learning rate (logarithmic), between the regions where it does not fall and where it explodes.

    Args:
        test: what `etude.train.range_test.find_learning_rate` found.
        lang: of the labels.
    """
    rates, losses, smooth = (np.array(each) for each in (test.learning_rates, test.losses, test.smoothed))
    figure = Figure(figsize=(7.6, 4), layout="constrained")
    axes = figure.subplots()
    start, floor = float(np.median(smooth[:5])), float(smooth.min())
    height = max(start - floor, 1e-9)
    axes.set_ylim(floor - 0.2 * height, start + _ROOM * height)
    axes.set_xscale("log")
    axes.set_xlim(max(rates[0], test.steepest / _MOST_BEFORE), rates[-1] * 1.15)
    axes.axvspan(test.steepest, test.limit, color=_CHOSEN, alpha=0.10, linewidth=0)
    axes.plot(rates, losses, color=_LINE, alpha=0.3, linewidth=1)
    axes.plot(rates, smooth, color=_LINE, linewidth=2.4)
    _suggestion(axes, test, float(np.interp(np.log(test.suggestion), np.log(rates), smooth)), lang)
    _regions(axes, test, lang)
    title = Text(
        en="Learning rate {rate:g}: large enough to learn fast, well before the loss explodes",
        zh="学习率 {rate:g}：足够大，学得快；又远未到损失爆炸的程度",
    ).format(rate=test.suggestion)
    label(
        axes,
        lang,
        title=title,
        x=Text(en="learning rate (one step each, rising)", zh="学习率（每步一个，逐步增大）"),
        y=Text(en="loss of the batch", zh="该批数据的损失"),
    )
    axes.grid(axis="x", visible=False)
    return figure


def _suggestion(axes: Axes, test: RangeTest, height: float, lang: Lang) -> None:
    floor = axes.get_ylim()[0]
    axes.plot([test.suggestion] * 2, [floor, height], color=_CHOSEN, linewidth=1.6, linestyle=(0, (4, 2.5)))
    axes.plot(
        test.suggestion, height, marker="o", markersize=11, color=_CHOSEN, markeredgecolor="white", zorder=5
    )
    note(axes, same(f"{test.suggestion:g}"), (test.suggestion, 0), lang, at="x data", offset=(-7, 7), color=_CHOSEN,
         ha="right", fontweight="bold", fontsize=15)  # fmt: skip


def _regions(axes: Axes, test: RangeTest, lang: Lang) -> None:
    low, high = axes.get_xlim()
    regions = (
        (low, test.steepest, Text(en="too small: learns slowly", zh="太小：学得慢"), "#555555"),
        (test.steepest, test.limit, Text(en="learns fast", zh="学得快"), _CHOSEN),
        (test.limit, high, Text(en="too large", zh="太大"), "#555555"),
    )
    room = math.log(high / low)
    for left, right, words, colour in regions:
        if right > left and math.log(right / left) > _NARROW * room:
            behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
            note(axes, words, (math.sqrt(left * right), 0.955), lang, at="x data", ha="center", va="center", color=colour,
                 bbox=behind if colour != _CHOSEN else None, zorder=6)  # fmt: skip
