"""Pictures with what a network says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.train.report.labels import share, shortened
from etude.train.report.predictions import Predictions

_COLUMNS = 6
_MOST_PICTURES = 60
_BREADTH, _WORDS = 1.65, 0.38  # of a cell in inches; room for the words above and below, in such breadths
_SMALL: dict[str, Any] = {"fontsize": 8.5, "ha": "center"}


def mistakes(predictions: Predictions, lang: Lang, count: int = 24) -> Figure:
    """The most confident mistakes, the most confident first: what the network says, how sure it is, what it is."""
    images, worst = predictions.images, predictions.worst(count)
    if images is None:
        raise ValueError("rows of a table have no pictures")
    if not len(worst):
        figure = Figure(figsize=(6, 1.2))
        words = Text(en="No picture of the test part is mistaken.", zh="测试集中没有判断错误的图片。")
        figure.text(0.5, 0.5, word(words, lang), ha="center", va="center", fontsize=12)
        return figure
    columns = min(_COLUMNS, len(worst))
    rows = -(-len(worst) // columns)
    height, width = images.shape[2:]
    tall = max(height / width, 0.4)  # of a picture, as a multiple of its breadth
    figure = Figure(figsize=(_BREADTH * columns, _BREADTH * (tall + _WORDS) * rows))
    # all in one pair of axes: a pair for each picture takes ten times as long to draw
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    for place, index in enumerate(worst):
        left, top = place % columns, (place // columns) * (tall + _WORDS)
        middle, above, below = left + 0.5, top + _WORDS / 2, top + _WORDS / 2 + tall
        _show(axes, images[index], _fitted(middle, (above + below) / 2, height / width, tall))
        chances = predictions.probabilities[index]
        said = shortened(predictions.classes[int(chances.argmax())], 13)
        label = shortened(predictions.classes[predictions.labels[index]], 16)
        title = f"{said} {share(float(chances.max()))}"
        axes.text(middle, above - 0.02, title, color=COLOURS[1], weight="bold", va="bottom", **_SMALL)
        really = word(Text(en="is {label}", zh="实为 {label}").format(label=label), lang)
        axes.text(middle, below + 0.02, really, va="top", **_SMALL)
    axes.set_xlim(0, columns)
    axes.set_ylim(rows * (tall + _WORDS), 0)
    axes.set_aspect("auto")
    axes.set_axis_off()
    return figure


def _fitted(x: float, y: float, proportion: float, tall: float) -> tuple[float, float, float, float]:
    """Where a picture goes (left, right, bottom, top) whose middle is at (x, y), within a breadth of 0.92."""
    width = min(0.92, tall / proportion)
    height = width * proportion
    return x - width / 2, x + width / 2, y + height / 2, y - height / 2


def prediction_grid(images: np.ndarray, top: list[list[tuple[str, float]]], lang: Lang) -> Figure:
    """Each picture beside bars of its likeliest classes; the first 60 where there are more.

    Args:
        images: uint8 ``[n, channels, height, width]``.
        top: for each picture (class, probability), the likeliest first.
        lang: of the labels.
    """
    shown = min(len(images), _MOST_PICTURES)
    columns = min(3, shown)
    rows = -(-shown // columns)
    height = max(1.7, 0.4 + 0.36 * max(len(classes) for classes in top[:shown]))
    figure = Figure(figsize=(4.2 * columns, height * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.5] * columns)
    for each in axes.ravel():
        each.axis("off")
    for place, (image, classes) in enumerate(zip(images[:shown], top)):
        row, column = divmod(place, columns)
        _show(axes[row, 2 * column], image)
        bars = axes[row, 2 * column + 1]
        _bars(bars, classes)
        if place + columns >= shown:  # nothing below it
            bars.set_xlabel(word(Text(en="probability (%)", zh="概率（%）"), lang), fontsize=8)
    if shown < len(images):
        words = Text(en="the first {shown} of {all} pictures", zh="共 {all} 张图片，显示前 {shown} 张")
        figure.suptitle(word(words.format(shown=shown, all=len(images)), lang), fontsize=10)
    return figure


def _bars(axes: Axes, classes: list[tuple[str, float]]) -> None:
    axes.axis("on")
    axes.barh(
        range(len(classes)),
        [100 * chance for _, chance in classes],
        color=[COLOURS[0]] + ["#B8CBD9"] * (len(classes) - 1),
        height=0.3,
    )
    for height, (name, chance) in enumerate(classes):
        # above its bar: beside or inside it there is not always room
        axes.text(0.5, height - 0.22, f"{shortened(name, 22)}  {share(chance)}", fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(max(len(classes), 3) - 0.6, -0.8)  # a bar is as thick with one class as with three
    axes.set_yticks([])
    axes.set_xticks([0, 50, 100])
    axes.tick_params(labelsize=7)


def _show(axes: Axes, image: np.ndarray, place: tuple[float, float, float, float] | None = None) -> None:
    picture = np.asarray(image).transpose(1, 2, 0)
    if picture.shape[2] == 1:
        axes.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=255, extent=place)
    else:
        axes.imshow(picture, extent=place)
    axes.set_axis_off()
