"""Predicted numbers against measured ones, and what is left over."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from etude.core.plotting import COLOURS, headline, label, note, word
from etude.core.text import Lang, Text
from etude.train.report.labels import number, shortened
from etude.train.report.predictions import RegressionPredictions
from etude.train.report.regression_statistics import RegressionSummary, summarise

_BLUE, _ORANGE, _GREY = COLOURS[0], COLOURS[1], "#707070"
_HALO: dict[str, Any] = {
    "facecolor": "white",
    "alpha": 0.75,
    "linewidth": 0,
    "pad": 0.6,
}  # words stay readable among points
_MOST_POINTS = 5000


def residuals(predictions: RegressionPredictions, lang: Lang) -> Figure:
    """Three views: predicted against measured, residual against predicted, and the distribution of the residuals.

    Beyond 5,000 examples a random 5,000 are drawn as points; the histogram is of all.
    """
    summary = summarise(predictions, intervals=False)
    figure = Figure(figsize=(10.2, 4.4), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=[4.2, 4.2, 1.5])
    axes[2].sharey(axes[1])
    shown = _shown(len(predictions))
    _against(axes[0], predictions, shown, lang)
    _left_over(axes[1], predictions, shown, summary, lang)
    _distribution(axes[2], predictions, summary, lang)
    for each in (axes[0].xaxis, axes[0].yaxis, axes[1].xaxis, axes[1].yaxis):
        each.set_major_locator(MaxNLocator(5 if each.axis_name == "y" else 4, steps=[1, 2, 2.5, 5, 10]))
        each.set_major_formatter(FuncFormatter(_tick))
    headline(figure, _finding(predictions, summary), lang)
    return figure


def _finding(predictions: RegressionPredictions, summary: RegressionSummary) -> Text:
    name = shortened(predictions.target, 30)
    rmse, base = number(summary.rmse), summary.baseline_rmse
    if base is None:
        return Text(
            en=f"Predicting {name}: typically off by {rmse} (RMSE)", zh=f"预测 {name}：典型误差 {rmse}（RMSE）"
        )
    if summary.rmse >= base:
        return Text(
            en=f"Predicting {name}: off by {rmse} (RMSE), no better than always saying the mean ({number(base)})",
            zh=f"预测 {name}：误差 {rmse}（RMSE），并不比总是猜均值（{number(base)}）更好",
        )
    return Text(
        en=f"Predicting {name}: typically off by {rmse} (RMSE); always saying the mean: {number(base)}",
        zh=f"预测 {name}：典型误差 {rmse}（RMSE）；若总是猜均值：{number(base)}",
    )


def _tick(value: float, _: int) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:g}"


def _shown(count: int) -> np.ndarray:
    if count <= _MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _MOST_POINTS, replace=False))


def _look(count: int) -> dict[str, Any]:
    few, some = count <= 300, count <= 1500
    return {
        "s": 26 if few else 12 if some else 7, "alpha": 0.65 if few else 0.4 if some else 0.25, "color": _BLUE,
        "linewidth": 0.4 if few else 0, "edgecolor": "white", "zorder": 2,
    }  # fmt: skip


def _against(axes: Axes, predictions: RegressionPredictions, shown: np.ndarray, lang: Lang) -> None:
    measured, predicted = predictions.targets, predictions.predictions
    low, high = float(min(measured.min(), predicted.min())), float(max(measured.max(), predicted.max()))
    room = 0.05 * (high - low) or 0.5
    low, high = low - room, high + room
    axes.scatter(measured[shown], predicted[shown], **_look(len(shown)))
    axes.plot([low, high], [low, high], color=_GREY, linestyle=(0, (4, 3)), linewidth=1.3, zorder=3)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_box_aspect(1)
    # above the line at its upper end, where points are rare: their mean lies below it (regression to the mean)
    note(
        axes, Text(en="exactly right", zh="完全正确"), (0.9, 0.9), lang, offset=(-5, 3), color=_GREY, rotation=45,
        rotation_mode="anchor", ha="right", va="bottom", bbox=_HALO,
    )  # fmt: skip
    if predictions.train_mean is not None and low < predictions.train_mean < high:
        axes.axhline(predictions.train_mean, color=_ORANGE, linewidth=1.1, linestyle=":", zorder=1)
        note(
            axes, Text(en="always the mean", zh="总是猜均值"), (0.99, predictions.train_mean), lang, at="y data",
            offset=(0, -4), color=_ORANGE, ha="right", va="top", bbox=_HALO,
        )  # fmt: skip
    name = shortened(predictions.target, 24)
    label(
        axes,
        lang,
        x=Text(en=f"{name}, measured", zh=f"{name}（实测）"),
        y=Text(en=f"{name}, predicted", zh=f"{name}（预测）"),
    )
    title = _of(Text(en="Predicted against measured", zh="预测值与实测值"), predictions, shown)
    axes.set_title(word(title, lang), linespacing=1.4)


def _left_over(
    axes: Axes, predictions: RegressionPredictions, shown: np.ndarray, summary: RegressionSummary, lang: Lang
) -> None:
    left = predictions.residuals
    axes.scatter(predictions.predictions[shown], left[shown], **_look(len(shown)))
    axes.axhline(0, color=_GREY, linestyle=(0, (4, 3)), linewidth=1.3, zorder=3)
    most = 1.18 * float(np.abs(left).max()) or 1.0
    axes.set_ylim(-most, most)
    axes.axhspan(-summary.rmse, summary.rmse, color=_BLUE, alpha=0.07, linewidth=0, zorder=0)
    soft: dict[str, Any] = {"color": _GREY, "fontsize": 9, "bbox": _HALO}
    note(axes, Text(en="predicted too low", zh="预测偏低"), (0.02, 0.985), lang, va="top", **soft)
    note(axes, Text(en="predicted too high", zh="预测偏高"), (0.02, 0.015), lang, va="bottom", **soft)
    name = shortened(predictions.target, 24)
    label(
        axes,
        lang,
        title=Text(en="What is left over", zh="残差"),
        x=Text(en=f"{name}, predicted", zh=f"{name}（预测）"),
        y=Text(en="residual: measured − predicted", zh="残差：实测 − 预测"),
    )


def _distribution(
    axes: Axes, predictions: RegressionPredictions, summary: RegressionSummary, lang: Lang
) -> None:
    left = predictions.residuals
    bins = int(np.clip(np.sqrt(len(left)), 7, 60))
    axes.hist(left, bins=bins, orientation="horizontal", color="#B8CBD9", edgecolor="white", linewidth=0.6)
    axes.axhline(0, color=_GREY, linestyle=(0, (4, 3)), linewidth=1.3)
    axes.axhspan(-summary.rmse, summary.rmse, color=_BLUE, alpha=0.07, linewidth=0, zorder=0)
    axes.tick_params(axis="y", labelleft=False)
    axes.grid(False)
    for sign, words in ((1, "+RMSE"), (-1, "−RMSE")):
        note(
            axes, words, (1.0, sign * summary.rmse), lang, at="y data", offset=(3, 0), va="center", color=_BLUE
        )
    axes.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    label(axes, lang, title=Text(en="How often", zh="分布"), x=Text(en="examples", zh="样本数"))


def _of(title: Text, predictions: RegressionPredictions, shown: np.ndarray) -> Text:
    if len(shown) == len(predictions):
        return title
    return Text(
        en=f"{title.en}\n{len(shown):,} of {len(predictions):,} examples, drawn at random",
        zh=f"{title.zh}\n从 {len(predictions):,} 个样本中随机抽取 {len(shown):,} 个",
    )
