"""How a training went: loss, accuracy and learning rate over the run."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text

_MOST_POINTS = 400
_MOST_MARKERS = 40
_LOG_RANGE = 50  # a loss that falls by more than this factor looks like zero on a linear axis
TRAINING, VALIDATION = COLOURS[0], COLOURS[1]
CROSS_ENTROPY = Text(en="cross-entropy (nats)", zh="交叉熵（奈特）")
SQUARED_ERROR = Text(en="squared error (variance of the target = 1)", zh="均方误差（目标方差为 1）")


def curves(records: list[dict[str, Any]], lang: Lang, regression: bool = False) -> Figure:
    """Training and validation loss, accuracy (of regression: RMSE) and the learning rate, against the epoch.

    Before the first epoch has ended they are drawn against the step. The loss axis is logarithmic where the
    loss falls so far that its end could not be seen otherwise.

    Args:
        records: the lines of ``metrics.jsonl``.
        lang: of the labels.
        regression: whether the loss is the squared error of standardised targets, not a cross-entropy.
    """
    steps = [r for r in records if r["kind"] == "step"]
    epochs = [r for r in records if r["kind"] == "epoch"]
    metric = "rmse" if regression else "accuracy"
    judged = {
        "training": _metric(epochs, "train", metric),
        "validation": _metric(records, "validation", metric),
    }
    there = any(judged.values())
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, 3 if there else 2, width_ratios=[3, 3, 2] if there else [3, 2])
    place = epochs[0]["step"] / (epochs[0]["epoch"] + 1) if epochs else 1.0
    _losses(axes[0], steps, _metric(records, "validation", "loss"), place, lang)
    axes[0].set_ylabel(word(SQUARED_ERROR if regression else CROSS_ENTROPY, lang))
    if there:
        _judged(axes[1], judged, place, lang, regression)
    _learning_rate(axes[-1], steps, place, lang)
    unit = Text(en="epochs trained", zh="已训练轮数") if epochs else Text(en="steps trained", zh="已训练步数")
    last = max((r["step"] for r in records), default=1) / place
    for each in axes:
        each.set_xlabel(word(unit, lang))
        each.set_xlim(0, 1.03 * last)
        each.xaxis.set_major_locator(MaxNLocator("auto", integer=last >= 3, steps=[1, 2, 5, 10]))
    return figure


def thinned(x: np.ndarray, y: np.ndarray, most: int = _MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points, each the mean of a run of neighbours."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    sizes = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / sizes, np.add.reduceat(y, edges) / sizes


def smoothed(y: np.ndarray, share: float = 0.04) -> np.ndarray:
    """A running mean over ``share`` of the points; a straight line stays what it is.

    At the steep start the mean is over fewer points. At the end, where no neighbours follow, it is a straight
    line fitted to those before (local regression, Cleveland 1979), so that the last step's noise is no trend.
    """
    place = np.arange(len(y))
    reach = np.minimum(max(int(len(y) * share / 2), 1), place)
    first, after = place - reach, np.minimum(place + reach + 1, len(y))
    count, centre = after - first, (first + after - 1) / 2

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return (total[after] - total[first]) / count

    level = mean(y)
    slope = (mean(place * y) - centre * level) / np.maximum((count**2 - 1) / 12, 1e-9)
    # a fall that is far from straight must not be carried on below what was ever measured
    return np.clip(level + slope * (place - centre), y.min(), y.max()) if len(y) else level


def _metric(records: list[dict[str, Any]], part: str, name: str) -> dict[int, float]:
    """A metric by step. The end of an epoch may be a step that was evaluated: it counts once."""
    values = {r["step"]: (r.get(part) or {}).get(name) for r in records if r.get(part)}
    return {step: value for step, value in values.items() if value is not None}


def _losses(
    axes: Axes, steps: list[dict[str, Any]], judged: dict[int, float], place: float, lang: Lang
) -> None:
    names = sorted(steps[0]["loss"]) if steps else []
    seen: list[np.ndarray] = []
    for number, name in enumerate(names):
        pairs = [(r["step"] / place, r["loss"][name]) for r in steps if r["loss"].get(name) is not None]
        if not pairs:
            continue
        x, y = thinned(*np.asarray(pairs, dtype=np.float64).T)
        colour = TRAINING if len(names) == 1 else COLOURS[(2 * number) % len(COLOURS)]
        label = word(Text(en="training", zh="训练"), lang) + ("" if len(names) == 1 else f" {name}")
        axes.plot(x, y, color=colour, alpha=0.25, linewidth=1)
        axes.plot(x, smoothed(y), color=colour, label=label)
        seen.append(smoothed(y))
    if judged:
        x, y = np.asarray(list(judged)) / place, np.asarray(list(judged.values()))
        label = word(Text(en="validation", zh="验证"), lang)
        axes.plot(x, y, color=VALIDATION, label=label, **_marker(len(y)))
        seen.append(y)
    axes.set_title(word(Text(en="Loss", zh="损失"), lang))
    _loss_scale(axes, seen)
    if seen:
        axes.legend(loc="best")


def _loss_scale(axes: Axes, seen: list[np.ndarray]) -> None:
    values = np.concatenate(seen) if seen else np.ones(1)
    if values.min() > 0 and values.max() > _LOG_RANGE * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(0.7 * values.min(), 1.4 * values.max())
        return
    low = min(0.0, float(values.min()))  # a loss may be negative, for instance a likelihood of densities
    axes.set_ylim(1.1 * low, _top(seen))


def _top(seen: list[np.ndarray]) -> float:
    """The upper end of an axis: the first few steps of a network that knows nothing yet would press all the rest to the
    floor."""
    highest = max(float(np.percentile(y[len(y) // 20 :], 99.5)) for y in seen) if seen else 1.0
    return 1.1 * highest if highest > 0 else max(1.0, highest)


def _judged(
    axes: Axes, judged: dict[str, dict[int, float]], place: float, lang: Lang, regression: bool
) -> None:
    """Accuracy in percent, or RMSE, with a ring around the best on the validation part."""
    looks = {
        "training": (TRAINING, Text(en="training", zh="训练")),
        "validation": (VALIDATION, Text(en="validation", zh="验证")),
    }
    seen = []
    for name, values in judged.items():
        if not values:
            continue
        colour, label = looks[name]
        x, y = np.asarray(list(values)) / place, (1 if regression else 100) * np.asarray(list(values.values()))
        axes.plot(x, y, color=colour, label=word(label, lang), **_marker(len(y)))
        seen.append(y)
        if name == "validation":
            best = int(np.argmin(y) if regression else np.argmax(y))
            value = f"{y[best]:.4g}" if regression else f"{y[best]:.2f}%"
            words = Text(en="best: {value}", zh="最佳：{value}").format(value=value)
            ring: dict[str, Any] = {
                "markersize": 11,
                "markerfacecolor": "none",
                "markeredgecolor": "black",
                "linestyle": "",
            }
            axes.plot(x[best], y[best], marker="o", label=word(words, lang), **ring)
    if regression:
        axes.set_title(word(Text(en="Error (RMSE)", zh="误差（RMSE）"), lang))
        axes.set_ylabel(word(Text(en="RMSE (unit of the target)", zh="RMSE（目标的单位）"), lang))
        axes.set_ylim(0, _top(seen))
        axes.legend(loc="best")
        return
    axes.set_title(word(Text(en="Accuracy", zh="准确率"), lang))
    axes.set_ylabel(word(Text(en="right (%)", zh="正确（%）"), lang))
    lowest, highest = min(y.min() for y in seen), max(y.max() for y in seen)
    room = max(highest - lowest, 2.0)
    axes.set_ylim(max(0.0, lowest - 0.5 * room), highest + 0.12 * room)
    axes.legend(loc="lower right")


def _learning_rate(axes: Axes, steps: list[dict[str, Any]], place: float, lang: Lang) -> None:
    if steps:
        pairs = [(r["step"] / place, r["learning_rate"]) for r in steps if r.get("learning_rate") is not None]
        axes.plot(*thinned(*np.asarray(pairs, dtype=np.float64).reshape(-1, 2).T), color=COLOURS[2])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(word(Text(en="Learning rate", zh="学习率"), lang))
    axes.set_ylabel(word(Text(en="learning rate", zh="学习率"), lang))


def _marker(count: int) -> dict[str, Any]:
    return {"marker": "o", "markersize": 4} if count <= _MOST_MARKERS else {}
