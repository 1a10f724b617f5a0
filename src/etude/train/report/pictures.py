"""Pictures with what a network says of them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.train.report.predictions import Predictions

_COLUMNS = 8


def mistakes(predictions: Predictions, lang: Lang, count: int = 24) -> Figure:
    """The most confident mistakes, the most confident first: what the network says, how sure it is, what it is."""
    worst = predictions.worst(count)
    if not len(worst):
        figure = Figure(figsize=(6, 1.2))
        words = Text(en="No picture of the test part is mistaken.", zh="测试集中没有判断错误的图片。")
        figure.text(0.5, 0.5, word(words, lang), ha="center", va="center", fontsize=12)
        return figure
    rows = -(-len(worst) // _COLUMNS)
    figure = Figure(figsize=(1.45 * _COLUMNS, 1.95 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for each in axes:
        each.axis("off")
    for each, index in zip(axes, worst):
        _show(each, predictions.images[index])
        said = predictions.classes[predictions.predicted[index]]
        label = predictions.classes[predictions.labels[index]]
        sure = f"{100 * predictions.confidence[index]:.0f} %"
        each.set_title(
            f"{_short(said)} {sure}", fontsize=8.5, color=COLOURS[1], loc="center", pad=3, weight="bold"
        )
        really = word(Text(en="is {label}", zh="实为 {label}").format(label=_short(label)), lang)
        each.text(0.5, -0.04, really, transform=each.transAxes, ha="center", va="top", fontsize=8.5)
    return figure


def prediction_grid(images: np.ndarray, top: list[list[tuple[str, float]]], lang: Lang) -> Figure:
    """Each picture beside bars of its likeliest classes.

    Args:
        images: uint8 ``[n, channels, height, width]``.
        top: for each picture (class, probability), the likeliest first.
        lang: of the labels.
    """
    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(4.2 * columns, 1.7 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.5] * columns)
    for each in axes.ravel():
        each.axis("off")
    for place, (image, classes) in enumerate(zip(images, top)):
        row, column = divmod(place, columns)
        _show(axes[row, 2 * column], image)
        bars = axes[row, 2 * column + 1]
        bars.axis("on")
        heights = range(len(classes))
        chances = [100 * chance for _, chance in classes]
        colours = [COLOURS[0]] + ["#B8CBD9"] * (len(classes) - 1)
        bars.barh(heights, chances, color=colours, height=0.62)
        for height, (name, _), chance in zip(heights, classes, chances):
            inside = chance > 55
            bars.text(
                2 if inside else chance + 2, height, f"{_short(name)}  {chance:.0f} %", va="center", fontsize=9,
                color="white" if inside and height == 0 else "black",
            )  # fmt: skip
        bars.set_xlim(0, 100)
        bars.invert_yaxis()
        bars.set_yticks([])
        bars.set_xticks([0, 50, 100])
        bars.tick_params(labelsize=7)
        if row == rows - 1:
            bars.set_xlabel(word(Text(en="probability (%)", zh="概率（%）"), lang), fontsize=8)
    return figure


def _show(axes: Axes, image: np.ndarray) -> None:
    picture = np.asarray(image).transpose(1, 2, 0)
    if picture.shape[2] == 1:
        axes.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(picture)
    axes.set_axis_off()


def _short(name: str, most: int = 13) -> str:
    name = name.replace("$", r"\$")
    return name if len(name) <= most else name[: most - 1] + "…"
