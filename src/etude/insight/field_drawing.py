"""Receptive fields as a figure: boxes on the picture, growth with depth, and where the gradient really is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etude.core.plotting import COLOURS, headline, label, note, word
from etude.core.text import Lang, Text
from etude.insight.effective_field import effective_size
from etude.insight.picture_drawing import draw_box, show_picture, size_words
from etude.insight.receptive_field import ReceptiveField

_BOXES = 5
_NEARLY_ALL = 0.9
_THEORY, _REALLY = COLOURS[0], COLOURS[1]


def draw_fields(
    fields: Sequence[ReceptiveField],
    effective: Mapping[str, np.ndarray],
    pixels: np.ndarray,
    lang: Lang,
    focus: str | None = None,
) -> Figure:
    """What a unit in the middle of each layer's maps could see, and what counts.

    Args:
        fields: of the layers in order, at least one.
        effective: of some or all of these, as `etude.insight.effective_field.effective_fields` gives them.
        pixels: uint8 ``[channels, height, width]``, a picture, or evenly grey where there is none.
        lang: of the words.
        focus: the layer whose effective field is drawn; else the last of ``effective``.
    """
    figure = Figure(figsize=(13.4, 4.6), layout="constrained")
    nested, growth, heat = figure.subplots(1, 3, width_ratios=[1.4, 1.35, 1.12])
    _draw_nested(nested, fields, pixels, lang)
    _draw_growth(growth, fields, effective, pixels.shape[1:], lang)
    name = focus or list(effective)[-1]
    field = next(each for each in fields if each.layer == name)
    _draw_heat(figure, heat, field, effective[name], lang)
    headline(figure, _finding(field, effective[name], pixels.shape[1:]), lang)
    return figure


def _finding(field: ReceptiveField, effective: np.ndarray, picture: tuple[int, ...]) -> Text:
    whole = min(field.size[0] - picture[0], field.size[1] - picture[1]) >= 0
    side = effective_size(effective)
    seen = np.sqrt(np.prod([min(size, pixels) for size, pixels in zip(field.size, picture)]))
    sees = Text(en="the whole picture", zh="整张图片") if whole else Text(en="{size} pixels", zh=" {size} 像素")
    moves = Text(
        en="what moves it is about {n}×{n} pixels in the middle", zh="真正影响它的约是中间的 {n}×{n} 像素"
    )
    if side > _NEARLY_ALL * seen:
        moves = Text(en="nearly all of them move it", zh="其中几乎全部都有影响")
    if whole and side > _NEARLY_ALL * seen:
        moves = Text(en="nearly all of it counts", zh="其中几乎全部都有影响")
    title = Text(en="A unit of {layer} could see {sees}; ", zh="{layer} 的一个单元可以看到{sees}；")
    words = {"layer": field.layer, "sees": sees.format(size=size_words(field.size)), "n": f"{side:.0f}"}
    return Text(en=title.en + moves.en, zh=title.zh + moves.zh).format(**words)


def _draw_nested(axes: Axes, fields: Sequence[ReceptiveField], pixels: np.ndarray, lang: Lang) -> None:
    import matplotlib

    show_picture(axes, pixels)
    chosen = _distinct(fields)
    height, width = pixels.shape[1:]
    colours = matplotlib.colormaps["viridis"](np.linspace(0.25, 0.95, len(chosen)))
    beside = np.linspace(0.95, 0.05, len(chosen)) if len(chosen) > 1 else [0.5]
    for place, (field, colour) in enumerate(zip(reversed(chosen), reversed(list(colours)))):
        box = field.box(field.centre)
        draw_box(axes, box, colour, lw=2.2, zorder=3 + place)
        top, _, _, right = box
        spot = (width * 1.06, height * (1 - beside[place]) - 0.5)
        axes.annotate(
            f"{field.layer}\n{size_words(field.size)}", (right - 0.5, top - 0.5 + min(0.5, height / 30)), spot, fontsize=9,
            color="black", va="center", fontweight="bold", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
    axes.set_xlim(-0.5, width * 1.5)
    label(axes, lang, title=Text(en="One unit's box in the picture", zh="一个单元在图片中所见的方框"))


def _distinct(fields: Sequence[ReceptiveField]) -> list[ReceptiveField]:
    """Up to five whose boxes differ, evenly through the depth."""
    seen = {field.box(field.centre): field for field in reversed(fields)}  # the first layer of each box
    kept = [field for field in fields if field in seen.values()]
    places = sorted({round(place) for place in np.linspace(0, len(kept) - 1, min(_BOXES, len(kept)))})
    return [kept[place] for place in places]


def _draw_growth(
    axes: Axes,
    fields: Sequence[ReceptiveField],
    effective: Mapping[str, np.ndarray],
    picture: tuple[int, ...],
    lang: Lang,
) -> None:
    depth = np.arange(1, len(fields) + 1)
    sizes = [max(field.size) for field in fields]
    axes.plot(depth, sizes, "-o", color=_THEORY, lw=2, ms=5)
    known = [
        (place, effective_size(effective[f.layer])) for place, f in zip(depth, fields) if f.layer in effective
    ]
    axes.plot(*zip(*known), "--s", color=_REALLY, lw=2, ms=5)
    side = max(picture)
    axes.axhline(side, color="#777777", lw=1, ls=":")
    top = max(*sizes, side) * 1.2
    note(axes, Text(en="side of the picture", zh="图片边长"), (0.02, side), lang, at="y data", va="bottom",
         offset=(0, 2), color="#555555")  # fmt: skip
    note(axes, Text(en="● theoretical: could see", zh="● 理论感受野：可以看到"), (0.02, 0.99), lang, va="top",
         color=_THEORY, fontweight="bold")  # fmt: skip
    note(axes, Text(en="■ effective: really moves it", zh="■ 有效感受野：真正有影响"), (0.98, 0.05), lang, ha="right",
         va="bottom", color=_REALLY, fontweight="bold")  # fmt: skip
    every = -(-len(fields) // 14)
    axes.set_xticks(depth[::every], [field.layer for field in fields][::every], rotation=35 if len(fields) > 5 else 0,
                    ha="right" if len(fields) > 5 else "center", rotation_mode="anchor", fontsize=8.5)  # fmt: skip
    axes.set_ylim(0, top)
    axes.set_xlim(0.6, len(fields) + 0.4)
    label(
        axes, lang, title=Text(en="It grows with depth", zh="随深度增大"),
        x=Text(en="layer", zh="层"), y=Text(en="side of the receptive field (pixels)", zh="感受野边长（像素）"),
    )  # fmt: skip


def _draw_heat(figure: Figure, axes: Axes, field: ReceptiveField, effective: np.ndarray, lang: Lang) -> None:
    drawn = axes.imshow(effective, cmap="magma_r", vmin=0, vmax=1)
    axes.grid(False)
    height, width = effective.shape
    axes.set_xticks([0, width - 1], [1, width])
    axes.set_yticks([0, height - 1], [1, height])
    draw_box(axes, field.box(field.centre), _THEORY, lw=2.4)
    title = Text(en="{layer}: where its gradient is", zh="{layer}：梯度所在").format(layer=field.layer)
    label(
        axes,
        lang,
        title=title,
        x=Text(en="column (pixel)", zh="列（像素）"),
        y=Text(en="row (pixel)", zh="行（像素）"),
    )
    axes.xaxis.labelpad = axes.yaxis.labelpad = -8
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label(
        word(Text(en="mean |gradient| (largest = 1)", zh="平均 |梯度|（最大为 1）"), lang), fontsize=9
    )
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
