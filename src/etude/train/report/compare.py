"""Several runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.train.report.curves import CROSS_ENTROPY, SQUARED_ERROR
from etude.train.report.labels import shortened

_DASHES = ("-", "--", ":", "-.")
_COLOURS = COLOURS[:7]  # the eighth, yellow, is hard to see on white; 7 and 4 repeat together only after 28


def compare(
    runs: list[tuple[str, list[dict[str, Any]]]], lang: Lang, regression: Sequence[bool] | None = None
) -> Figure:
    """Validation loss and accuracy of several runs against the epoch; training loss where nothing was held out.

    Runs that predict numbers are drawn below the others, with R² in place of the accuracy: their losses are of
    another kind.

    Args:
        runs: a name and the lines of ``metrics.jsonl`` for each.
        lang: of the labels.
        regression: for each run, whether it predicts numbers; none does where it is None.
    """
    numeric = list(regression) if regression is not None else [False] * len(runs)
    kinds = [kind for kind in (False, True) if kind in numeric]
    figure = Figure(figsize=(10, 3.4 * len(kinds) + 0.4 + 0.2 * -(-len(runs) // 2)), layout="constrained")
    rows = dict(zip(kinds, figure.subplots(max(len(kinds), 1), 2, squeeze=False)))
    for number, ((name, records), kind) in enumerate(zip(runs, numeric)):
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
        _plot(rows[kind][0], judged or epochs, part, "loss", 1, look)
        metric, scale = ("r2", 1) if kind else ("accuracy", 100)
        _plot(rows[kind][1], judged, "validation", metric, scale, look)
    for kind, axes in rows.items():
        _name(axes, kind, lang)
    handles = [axes[0].get_legend_handles_labels() for axes in rows.values()]
    lines, labels = ([each for pair in handles for each in pair[side]] for side in (0, 1))
    figure.legend(lines, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _name(axes: Sequence[Axes], regression: bool, lang: Lang) -> None:
    losses, judged = axes
    losses.set_title(word(Text(en="Loss on the validation part", zh="验证集损失"), lang))
    losses.set_ylabel(word(SQUARED_ERROR if regression else CROSS_ENTROPY, lang))
    losses.set_ylim(bottom=0)
    if regression:
        judged.set_title(word(Text(en="R² on the validation part", zh="验证集 R²"), lang))
        judged.set_ylabel(word(Text(en="share of the variance explained", zh="解释的方差比例"), lang))
        values = [value for line in judged.lines for value in np.asarray(line.get_ydata(), dtype=np.float64)]
        # the first epochs may lie far below zero, which is what always saying the mean is worth
        judged.set_ylim(max(min(values, default=0.0) - 0.03, -0.3), 1.02)
    else:
        judged.set_title(word(Text(en="Accuracy on the validation part", zh="验证集准确率"), lang))
        judged.set_ylabel(word(Text(en="right (%)", zh="正确（%）"), lang))
    for each in axes:
        each.set_xlabel(word(Text(en="epochs trained", zh="已训练轮数"), lang))
        each.set_xlim(left=0)
        each.xaxis.set_major_locator(MaxNLocator("auto", integer=True))


def _plot(
    axes: Axes, epochs: list[dict[str, Any]], part: str, metric: str, scale: float, look: dict[str, Any]
) -> None:
    values = [(r["epoch"] + 1, r[part].get(metric)) for r in epochs]
    there = [(epoch, scale * value) for epoch, value in values if value is not None]
    marker: dict[str, Any] = {"marker": "o", "markersize": 3} if len(there) <= 40 else {}
    axes.plot([epoch for epoch, _ in there], [value for _, value in there], **look, **marker)
