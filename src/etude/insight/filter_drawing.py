"""Filters as a figure: kernels with what each makes of a picture, weights in the picture's shape, kernels of deep layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from etude.core.plotting import headline, label, note
from etude.core.text import Lang, Text
from etude.insight.filters import Filters
from etude.insight.picture_drawing import as_colours, footnote, show_map, size_words
from etude.train.report.labels import shortened

_WITH_RESPONSES = 16
_MOST, _MOST_CONNECTED = 48, 24
_MOST_COLUMNS, _MOST_ROWS = 16, 10
_SIGNS = Text(en="Red is positive, blue negative, white 0.", zh="红为正，蓝为负，白为 0。")
_COLOURS = Text(
    en="The weights on red, green and blue as a colour: grey is 0, the largest weight of each is full.",
    zh="把红、绿、蓝三个通道的权重画成颜色：灰为 0，各自的最大权重为满色。",
)
_RESPONSES = Text(en=" Responses: red is positive, blue negative.", zh="响应：红为正，蓝为负。")


def draw_filters(filters: Filters, classes: Sequence[str], lang: Lang) -> Figure:
    """The weights of a layer as pictures.

    Args:
        filters: what `etude.insight.filters.find_filters` gave.
        classes: the names of the classes, for a network whose units are the classes.
        lang: of the words.
    """
    if filters.weights.shape[1] in (1, 3):
        return _draw_pictures(filters, classes, lang)
    return _draw_matrix(filters, lang)


def _draw_pictures(filters: Filters, classes: Sequence[str], lang: Lang) -> Figure:
    """Each unit's weights; below them, where there are not too many, what they make of the picture."""
    units = len(filters.weights)
    most = _MOST_CONNECTED if filters.fully_connected else _MOST
    strongest = np.argsort(-np.abs(filters.weights).mean((1, 2, 3)), kind="stable")[:most]
    shown = np.arange(units) if units <= most else strongest
    both = filters.responses is not None and units <= _WITH_RESPONSES
    columns = min(8 if len(shown) > 5 else len(shown), len(shown))
    if len(shown) == 10:
        columns = 5
    if len(shown) > 24:
        columns = 12
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(1.25 * columns + 0.9, (2.45 if both else 1.4) * rows + 0.95), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.03)  # type: ignore[union-attr,call-arg]
    axes = figure.subplots(rows * (2 if both else 1), columns, squeeze=False)
    for each in axes.ravel():
        each.set_axis_off()
    for place, unit in enumerate(shown):
        row, column = divmod(place, columns)
        top = axes[row * (2 if both else 1), column]
        _show_weights(top, filters.weights[unit], filters.fully_connected)
        name = classes[unit] if filters.says_classes and len(classes) == units else str(int(unit) + 1)
        top.set_title(shortened(name, 14), fontsize=9, fontweight="normal", loc="center", pad=3)
        if both:
            below = axes[row * 2 + 1, column]
            below.set_axis_on()
            answer = filters.responses[unit]  # type: ignore[index]
            show_map(below, answer, float(np.abs(answer).max()), signed=True)
    if both:
        for row in range(rows):
            look = {"ha": "right", "va": "center", "rotation": 90, "fontsize": 9}
            note(axes[2 * row, 0], Text(en="kernel", zh="卷积核"), (-0.06, 0.5), lang, **look)
            note(axes[2 * row + 1, 0], Text(en="response", zh="响应"), (-0.06, 0.5), lang, **look)
    headline(figure, _title(filters, len(shown)), lang)
    how = _COLOURS if filters.weights.shape[1] == 3 else _SIGNS
    if both and how is _COLOURS:
        how = Text(en=how.en + _RESPONSES.en, zh=how.zh + _RESPONSES.zh)
    footnote(figure, how, lang)
    return figure


def _show_weights(axes, weights: np.ndarray, fully_connected: bool) -> None:
    axes.set_axis_on()
    if weights.shape[0] == 3:
        show_map(axes, weights[0], 1.0, signed=True)
        axes.images[0].remove()
        axes.imshow(np.clip(as_colours(weights), 0, 1))
        return
    # the weights at the picture's rim, where training saw nothing, keep their random start; they do not set the scale
    scale = np.quantile(np.abs(weights), 0.99) if fully_connected else np.abs(weights).max()
    show_map(axes, weights[0], float(scale), signed=True)


def _title(filters: Filters, shown: int) -> Text:
    units, _, *size = filters.weights.shape
    words = {"layer": filters.layer, "n": units, "k": shown, "size": size_words(tuple(size))}
    if filters.says_classes:
        title = Text(
            en="{layer}: each class adds up the pixels with these weights",
            zh="{layer}：每个类别按这些权重对像素求和",
        )
    elif filters.fully_connected:
        title = Text(
            en="{layer}: each unit weighs all {size} pixels", zh="{layer}：每个单元对全部 {size} 像素加权"
        )
    elif filters.responses is not None and units <= _WITH_RESPONSES:
        title = Text(en="{layer}: {n} kernels of {size}, each answering to its own pattern",
                     zh="{layer}：{n} 个 {size} 卷积核，各自响应不同的图案")  # fmt: skip
    else:
        title = Text(en="{layer}: {n} kernels of {size}", zh="{layer}：{n} 个 {size} 卷积核")
    if shown < units:
        title = Text(
            en=title.en + " (shown: the {k} strongest of {n})", zh=title.zh + "（显示 {n} 个中最强的 {k} 个）"
        )
    return title.format(**words)


def _draw_matrix(filters: Filters, lang: Lang) -> Figure:
    """A deeper layer: a column a unit, a row a channel it looks at."""
    units, channels, *size = filters.weights.shape
    shown = np.sort(np.argsort(-np.abs(filters.weights).mean((1, 2, 3)), kind="stable")[:_MOST_COLUMNS])
    rows = min(channels, _MOST_ROWS)
    high, wide = size[0] + 1, size[1] + 1  # a pixel of nothing between two kernels
    tile = np.full((rows * high - 1, len(shown) * wide - 1), np.nan)
    for column, unit in enumerate(shown):
        for row in range(rows):
            place = slice(row * high, row * high + size[0]), slice(column * wide, column * wide + size[1])
            tile[place] = filters.weights[unit, row]
    side = max(0.55 * len(shown), 4.5)
    figure = Figure(figsize=(side + 1, side * tile.shape[0] / tile.shape[1] + 1.5), layout="constrained")
    axes = figure.subplots()
    show_map(axes, tile, float(np.nanquantile(np.abs(tile), 0.99)), signed=True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([size[1] / 2 - 0.5 + place * wide for place in range(len(shown))], shown + 1)
    axes.set_yticks([size[0] / 2 - 0.5 + place * high for place in range(rows)], range(1, rows + 1))
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    axes.xaxis.set_label_position("top")
    label(axes, lang, x=Text(en="map it makes (number)", zh="产生的特征图（编号）"),
          y=Text(en="map it looks at (number)", zh="所看的特征图（编号）"))  # fmt: skip
    title = Text(
        en="{layer}: each map is a sum over {c} kernels of {size}",
        zh="{layer}：每张特征图是 {c} 个 {size} 卷积核结果之和",
    )
    part = Text(en="", zh="")
    if len(shown) < units or rows < channels:
        part = Text(en=" Shown: {k} of {n} maps made (the strongest), {r} of {c} looked at.",
                    zh="此处显示：产生的 {n} 张中最强的 {k} 张，所看的 {c} 张中的 {r} 张。")  # fmt: skip
    words = {
        "layer": filters.layer,
        "size": size_words(tuple(size)),
        "k": len(shown),
        "r": rows,
        "n": units,
        "c": channels,
    }
    headline(figure, title.format(**words), lang)
    footnote(figure, Text(en=_SIGNS.en + part.en, zh=_SIGNS.zh + part.zh).format(**words), lang)
    return figure
