"""How a training went: loss, accuracy and learning rate over the run."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text

_MOST_POINTS = 400
TRAINING, VALIDATION = COLOURS[0], COLOURS[1]


def curves(records: list[dict[str, Any]], lang: Lang) -> Figure:
    """Training and validation loss, validation accuracy and the learning rate, against the epoch.

    Args:
        records: the lines of ``metrics.jsonl``.
        lang: of the labels.
    """
    steps = [r for r in records if r["kind"] == "step"]
    epochs = [r for r in records if r["kind"] == "epoch"]
    accurate = any((r.get("validation") or {}).get("accuracy") is not None for r in epochs)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(1, 3 if accurate else 2, width_ratios=[3, 3, 2] if accurate else [3, 2])
    place = _epoch_of(epochs, steps)
    _losses(axes[0], steps, epochs, place, lang)
    if accurate:
        _accuracy(axes[1], epochs, lang)
    _learning_rate(axes[-1], steps, place, lang)
    for each in axes:
        each.set_xlabel(word(Text(en="epochs trained", zh="已训练轮数"), lang))
        each.set_xlim(left=0)
    return figure


def thinned(x: np.ndarray, y: np.ndarray, most: int = _MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points, each the mean of a run of neighbours."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    sizes = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / sizes, np.add.reduceat(y, edges) / sizes


def smoothed(y: np.ndarray, share: float = 0.04) -> np.ndarray:
    """A running mean over ``share`` of the points, shorter at the ends."""
    half = max(int(len(y) * share / 2), 1)
    total = np.concatenate([[0.0], np.cumsum(y)])
    low = np.maximum(np.arange(len(y)) - half, 0)
    high = np.minimum(np.arange(len(y)) + half + 1, len(y))
    return (total[high] - total[low]) / (high - low)


def _epoch_of(epochs: list[dict[str, Any]], steps: list[dict[str, Any]]) -> float:
    """Steps an epoch, so that every axis counts in epochs."""
    if epochs:
        return max(epochs[0]["step"] / (epochs[0]["epoch"] + 1), 1)
    return max(len(steps), 1)


def _losses(
    axes: Axes, steps: list[dict[str, Any]], epochs: list[dict[str, Any]], place: float, lang: Lang
) -> None:
    highest: list[float] = []
    for number, name in enumerate(sorted(steps[0]["loss"]) if steps else []):
        pairs = [(r["step"] / place, r["loss"][name]) for r in steps if r["loss"][name] is not None]
        if not pairs:
            continue
        x, y = thinned(*map(np.asarray, zip(*pairs)))
        colour = TRAINING if len(steps[0]["loss"]) == 1 else COLOURS[number]
        label = word(Text(en="training", zh="训练"), lang) + ("" if len(steps[0]["loss"]) == 1 else f" {name}")
        axes.plot(x, y, color=colour, alpha=0.25, linewidth=1)
        axes.plot(x, smoothed(y), color=colour, label=label)
        highest += [float(np.percentile(y[len(y) // 20 :], 99.5))]
    judged = [r for r in epochs if (r.get("validation") or {}).get("loss") is not None]
    if judged:
        x, y = [r["step"] / place for r in judged], [r["validation"]["loss"] for r in judged]
        axes.plot(
            x, y, "o-", color=VALIDATION, markersize=4, label=word(Text(en="validation", zh="验证"), lang)
        )
        highest.append(max(y))
    axes.set_title(word(Text(en="Loss", zh="损失"), lang))
    axes.set_ylabel(word(Text(en="cross-entropy (nats)", zh="交叉熵（奈特）"), lang))
    axes.set_ylim(0, max(highest, default=1.0) * 1.1 or 1.0)
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _accuracy(axes: Axes, epochs: list[dict[str, Any]], lang: Lang) -> None:
    judged = [r for r in epochs if (r.get("validation") or {}).get("accuracy") is not None]
    x, y = [r["epoch"] + 1 for r in judged], [100 * r["validation"]["accuracy"] for r in judged]
    axes.plot(x, y, "o-", color=VALIDATION, markersize=4)
    best = int(np.argmax(y))
    axes.plot(x[best], y[best], "o", markersize=11, markerfacecolor="none", markeredgecolor="black")
    left = x[best] > (x[0] + x[-1]) / 2
    axes.annotate(
        word(Text(en="best: {value:.2f} %", zh="最佳：{value:.2f} %").format(value=y[best]), lang),
        (x[best], y[best]), xytext=(-12 if left else 12, -16), textcoords="offset points", ha="right" if left else "left", va="top",
    )  # fmt: skip
    axes.set_title(word(Text(en="Accuracy on the validation part", zh="验证集准确率"), lang))
    axes.set_ylabel(word(Text(en="right (%)", zh="正确（%）"), lang))
    room = max(max(y) - min(y), 1.0)
    axes.set_ylim(max(0, min(y) - 0.35 * room), min(100.5, max(y) + 0.2 * room))


def _learning_rate(axes: Axes, steps: list[dict[str, Any]], place: float, lang: Lang) -> None:
    if steps:
        x, y = thinned(
            np.asarray([r["step"] / place for r in steps]), np.asarray([r["learning_rate"] for r in steps])
        )
        axes.plot(x, y, color=COLOURS[2])
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.set_title(word(Text(en="Learning rate", zh="学习率"), lang))
    axes.set_ylabel(word(Text(en="size of the step", zh="步长"), lang))
