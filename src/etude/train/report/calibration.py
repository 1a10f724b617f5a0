"""Whether the stated probabilities can be believed."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, note, word
from etude.core.text import Lang, Text
from etude.train.report.predictions import Predictions
from etude.train.report.statistics import ConfidenceBin, reliability, wilson_interval

_BLUE, _ORANGE, _GREY = COLOURS[0], COLOURS[1], "#8A8A8A"
_BINS = 15


def calibration(predictions: Predictions, lang: Lang) -> Figure:
    """The reliability diagram (Guo et al. 2017, figure 1): accuracy against confidence, and how many have which.

    A point is the predictions of about one confidence, its bar the 95 % interval of their accuracy (Wilson).
    """
    correct = predictions.predicted == predictions.labels
    bins = reliability(predictions.confidence, correct, _BINS)
    left = 100 / max(len(predictions.classes), 2)  # no confidence of the likeliest class is lower
    figure = Figure(figsize=(5.8, 5.6), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1.1])
    _diagonal(top, left, lang)
    _points(top, bins)
    top.set_ylabel(word(Text(en="of those, right (%)", zh="其中判断正确的比例（%）"), lang))
    said, true = 100 * float(predictions.confidence.mean()), 100 * float(correct.mean())
    top.set_title(word(_finding(said, true, int(correct.sum()), len(correct)), lang), linespacing=1.4)
    _counts(below, bins, lang)
    below.set_xlabel(
        word(Text(en="confidence: the probability it states (%)", zh="置信度：它声称的概率（%）"), lang)
    )
    top.set_xlim(left - 2, 102)
    return figure


def _finding(said: float, true: float, right: int, count: int) -> Text:
    low, high = wilson_interval(right, count)
    numbers = {"said": f"{said:.1f}", "true": f"{true:.1f}"}
    if said > 100 * high:
        words = Text(
            en="Too sure of itself:\nstates {said}% on average, is right {true}% of the time",
            zh="过于自信：\n平均声称 {said}%，实际正确率 {true}%",
        )
    elif said < 100 * low:
        words = Text(
            en="Too modest:\nstates {said}% on average, is right {true}% of the time",
            zh="过于保守：\n平均声称 {said}%，实际正确率 {true}%",
        )
    else:
        words = Text(
            en="No sign of false confidence:\nstates {said}% on average, is right {true}% of the time",
            zh="未见明显的过度自信或保守：\n平均声称 {said}%，实际正确率 {true}%",
        )
    return words.format(**numbers)


def _diagonal(axes: Axes, left: float, lang: Lang) -> None:
    axes.plot([left, 100], [left, 100], color=_GREY, linestyle=(0, (4, 3)), linewidth=1.3, zorder=1)
    axes.fill_between([left - 2, 102], [left - 2, 102], -5, color=_ORANGE, alpha=0.06, linewidth=0, zorder=0)
    axes.set_ylim(-4, 104)
    soft: dict[str, Any] = {"fontsize": 10, "color": _GREY}
    note(axes, Text(en="too modest", zh="过于保守"), (0.04, 0.93), lang, va="top", **soft)
    note(axes, Text(en="too sure of itself", zh="过于自信"), (0.96, 0.06), lang, ha="right", **soft)


def _points(axes: Axes, bins: list[ConfidenceBin]) -> None:
    most = max((each.count for each in bins), default=1)
    for each in bins:
        x, y = 100 * each.confidence, 100 * each.accuracy
        low, high = (100 * end for end in wilson_interval(each.right, each.count))
        axes.plot([x, x], [low, high], color=_BLUE, linewidth=1.6, alpha=0.55, zorder=2, solid_capstyle="butt")
        size = 26 + 70 * (each.count / most) ** 0.5
        axes.scatter([x], [y], s=size, color=_BLUE, edgecolor="white", linewidth=0.8, zorder=3)


def _counts(axes: Axes, bins: list[ConfidenceBin], lang: Lang) -> None:
    width = 100 / _BINS
    for each in bins:
        # the interval the bin is of, not its mean confidence
        left = width * min(max(-(-100 * each.confidence // width) - 1, 0), _BINS - 1)
        axes.bar(left, each.count, width=0.94 * width, align="edge", color="#B8CBD9")
        axes.annotate(
            f"{each.count:,}", (left + 0.47 * width, each.count), (0, 1.5), textcoords="offset points",
            ha="center", fontsize=7, color="#555555",
        )  # fmt: skip
    axes.set_ylim(0, 1.25 * max((each.count for each in bins), default=1))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    axes.set_ylabel(word(Text(en="how many", zh="数量"), lang))
