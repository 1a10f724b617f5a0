"""Feature maps as a figure: a strip through the depth of the network, or all maps of one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, headline, note, word
from etude.core.text import Lang, Text
from etude.insight.feature_maps import FeatureMaps
from etude.insight.picture_drawing import draw_box, footnote, show_map, show_picture, size_words
from etude.insight.receptive_field import ReceptiveField

_MARK = COLOURS[1]
_SIGNS = Text(en="Red is positive, blue negative, white 0.", zh="红为正，蓝为负，白为 0。")
_ROWS = 4
_MOST_MAPS = 48


def draw_depth(
    pixels: np.ndarray, found: Sequence[FeatureMaps], fields: Mapping[str, ReceptiveField], lang: Lang
) -> Figure:
    """A column a layer: where in the picture its strongest unit looks, and below that its strongest maps.

    Args:
        pixels: uint8 ``[channels, height, width]``, the picture.
        found: what `etude.insight.feature_maps.feature_maps` gave, at least one.
        fields: receptive fields by layer.
        lang: of the words.
    """
    rows = min(_ROWS, max(len(each.maps) for each in found))
    figure = Figure(figsize=(1.5 * len(found) + 1.75, 1.3 * (rows + 1) + 1.25), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.02)  # type: ignore[union-attr,call-arg]
    axes = figure.subplots(
        rows + 1, len(found) + 1, squeeze=False, width_ratios=[0.85] + [1] * len(found)
    )  # fmt: skip
    for each in axes.ravel():
        each.set_axis_off()
    for column, layer in enumerate(found, start=1):
        _draw_column(axes[:, column], layer, pixels, fields.get(layer.layer), lang)
    looks = Text(en="what the\nbrightest\nunit sees", zh="最亮的\n单元所见")
    note(axes[0, 0], looks, (1, 0.5), lang, ha="right", va="center", color=_MARK, fontweight="bold")
    strongest = Text(en="strongest\nmaps first;\n□ brightest\nunit", zh="特征图，\n由强到弱；\n□ 最亮单元")
    note(axes[1, 0], strongest, (1, 0.95), lang, ha="right", va="top", color="#333333")
    first, last = found[0], found[-1]
    title = Text(
        en="{a} maps of {b} become {c} of {d}:\ncoarser ones, whose units see more of the picture",
        zh="{a} 张 {b} 的特征图变成 {c} 张 {d} 的：\n图越来越粗，每个单元看到的越来越多",
    )
    if len(found) == 1:
        title = Text(en="{a} maps of {b}", zh="{a} 张 {b} 特征图")
    shapes = {"a": len(first.maps), "b": size_words(first.maps.shape[1:]),
              "c": len(last.maps), "d": size_words(last.maps.shape[1:])}  # fmt: skip
    headline(figure, title.format(**shapes), lang)
    return figure


def _draw_column(
    axes: Sequence[Axes], layer: FeatureMaps, pixels: np.ndarray, field: ReceptiveField | None, lang: Lang
) -> None:
    count, *size = layer.maps.shape
    axes[0].set_title(layer.layer, loc="center", fontsize=11)
    unit = layer.strongest_unit(int(layer.order[0]))
    show_picture(axes[0], pixels)
    if field is not None:
        draw_box(axes[0], field.box(unit), _MARK)
    limit = float(np.quantile(np.abs(layer.maps), 0.998)) or float(np.abs(layer.maps).max())
    for place, (each, channel) in enumerate(zip(axes[1:], layer.order)):
        each.set_axis_on()
        show_map(each, layer.maps[channel], limit, layer.signed)
        if place == 0:
            _mark(each, unit)
            many = Text(en="{n} maps {size}", zh="{n} 张 {size}")
            each.set_title(
                word(many.format(n=count, size=size_words(tuple(size))), lang),
                fontsize=9, fontweight="normal", loc="center", pad=4,
            )  # fmt: skip
    left = Text(en="+ {n} more", zh="另有 {n} 张").format(n=count - len(axes) + 1)
    silent = Text(en="{n} silent", zh="{n} 张全为 0").format(n=layer.silent)
    words = [left] * (count >= len(axes)) + [silent] * (layer.silent > 0)
    if words:
        last = axes[min(count, len(axes) - 1)]
        said = word(
            Text(en=", ".join(each.en for each in words), zh="，".join(each.zh for each in words)), lang
        )
        last.annotate(
            said, (0.5, 0), (0, -3), "axes fraction", textcoords="offset points", ha="center", va="top", fontsize=8.5,
            color="#555555",
        )  # fmt: skip


def _mark(axes: Axes, unit: tuple[int, int]) -> None:
    for colour, width in (("white", 4.5), (_MARK, 2)):  # white below, so that it stands out from every colour
        axes.plot(unit[1], unit[0], "s", ms=7, mfc="none", mec=colour, mew=width)


def draw_layer(pixels: np.ndarray, layer: FeatureMaps, field: ReceptiveField | None, lang: Lang) -> Figure:
    """All maps of one layer (the 48 strongest), beside the picture with what the marked unit sees.

    Args:
        pixels: uint8 ``[channels, height, width]``, the picture.
        layer: its maps.
        field: the layer's receptive field.
        lang: of the words.
    """
    shown = layer.order[:_MOST_MAPS]
    columns = 8 if len(shown) > 16 else 4
    rows = -(-len(shown) // columns)
    tall = max(rows * 1.15, 3.4)
    figure = Figure(figsize=(3.9 + columns * 1.15, tall + 0.75), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[3.4, columns * 1.15])
    unit = layer.strongest_unit(int(shown[0]))
    axes = left.subplots()
    show_picture(axes, pixels)
    if field is not None:
        draw_box(axes, field.box(unit), _MARK)
        words = Text(
            en="box: the {size} pixels that the\nmarked unit of map {map} sees",
            zh="方框：第 {map} 张特征图中\n标出的单元所见的 {size} 像素",
        )
        top, start, bottom, end = field.box(unit)
        axes.set_title(
            word(words.format(size=size_words((bottom - top, end - start)), map=int(shown[0]) + 1), lang),
            fontsize=10, color=_MARK, loc="center", linespacing=1.25,
        )  # fmt: skip
    limit = float(np.quantile(np.abs(layer.maps), 0.998)) or float(np.abs(layer.maps).max())
    grid = right.subplots(rows, columns, squeeze=False).ravel()
    for each in grid[len(shown) :]:
        each.set_axis_off()
    for place, (each, channel) in enumerate(zip(grid, shown)):
        show_map(each, layer.maps[channel], limit, layer.signed)
        each.set_title(str(int(channel) + 1), fontsize=8, fontweight="normal", loc="center", pad=2)
        if place == 0:
            _mark(each, unit)
    title = Text(
        en="{layer}: {n} maps of {size}, the strongest first", zh="{layer}：{n} 张 {size} 特征图，由强到弱"
    )
    if len(shown) < len(layer.maps):
        title = Text(
            en="{layer}: the {k} strongest of {n} maps of {size}",
            zh="{layer}：{n} 张 {size} 特征图中最强的 {k} 张",
        )
    if layer.silent:
        title = Text(en=title.en + "; {silent} silent", zh=title.zh + "；{silent} 张全为 0")
    if layer.signed:
        footnote(figure, _SIGNS, lang)
    size = size_words(layer.maps.shape[1:])
    words = {"layer": layer.layer, "n": len(layer.maps), "size": size, "k": len(shown), "silent": layer.silent}
    headline(figure, title.format(**words), lang)
    return figure
