"""Figures that look the same everywhere: one style, colours that everyone can tell apart, a font for Chinese."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.core.text import Lang, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008): distinguishable with every common kind of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

_CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans CJK JP",
    "PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti", "Microsoft YaHei", "SimHei", "DengXian",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip


@functools.cache
def chinese_font() -> str | None:
    """The name of an installed font that has Chinese characters, or None."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    for name in _CHINESE_FONTS:
        if name in installed:
            return name
    # matplotlib caches its list of fonts; one installed since then is found here
    for path in font_manager.findSystemFonts():
        if any(
            mark in Path(path).name for mark in ("CJK", "SourceHanSans", "msyh", "simhei", "wqy", "PingFang")
        ):
            try:
                font_manager.fontManager.addfont(path)
                return font_manager.FontProperties(fname=path).get_name()
            except (OSError, RuntimeError):
                continue
    return None


def figure_language(lang: Lang) -> Lang:
    """``lang``, or English where no installed font can draw Chinese."""
    return lang if lang == "en" or chinese_font() else "en"


@contextlib.contextmanager
def drawing(lang: Lang) -> Iterator[None]:
    """Inside this block figures are made, and saved, in étude's style. Nothing outside it changes."""
    import matplotlib

    with matplotlib.rc_context(style(lang)):  # type: ignore[arg-type]
        yield


def style(lang: Lang) -> dict[str, Any]:
    """Matplotlib settings of étude's figures."""
    from cycler import cycler

    chinese = chinese_font()  # in an English figure too: a class may have a Chinese name
    families = ["DejaVu Sans", *([chinese] if chinese else [])]
    if figure_language(lang) == "zh":
        families.reverse()
    return {
        "font.family": families,
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#555555",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E6E6",
        "axes.prop_cycle": cycler(color=COLOURS),
        "legend.frameon": False,
        "figure.dpi": 100,
        "savefig.dpi": 150,
        "axes.unicode_minus": False,
        "svg.hashsalt": "etude",
    }


def word(text: Text, lang: Lang) -> str:
    """``text`` in ``lang``, or in English where no font can draw Chinese."""
    return text.to(figure_language(lang))


def headline(figure: Figure, text: Text, lang: Lang) -> None:
    """What the whole figure shows, in a sentence above it."""
    figure.suptitle(word(text, lang), fontsize=13, fontweight="bold", x=0.01, ha="left")


def label(
    axes: Axes,
    lang: Lang,
    *,
    title: Text | str | None = None,
    x: Text | str | None = None,
    y: Text | str | None = None,
) -> None:
    """Title and axis labels in ``lang``; the axes' with their units."""
    for text, put in ((title, axes.set_title), (x, axes.set_xlabel), (y, axes.set_ylabel)):
        if text is not None:
            put(word(text, lang) if isinstance(text, Text) else text)


def note(
    axes: Axes, words: Text | str, place: tuple[float, float], lang: Lang, *, at: str = "axes",
    offset: tuple[float, float] = (0, 0), **look: Any,
) -> None:  # fmt: skip
    """Words beside what they are about, in place of a legend.

    Args:
        place: where; in shares of the axes (``at="axes"``), in the data's numbers (``"data"``), or one of each
            (``"x data"``: x is a number of the data, y a share; ``"y data"``).
        offset: how far beside the place, in points.
        look: as `matplotlib.axes.Axes.annotate` takes it, such as ``color``, ``ha``, ``va``, ``fontweight``.
    """
    coordinates: Any = {
        "axes": "axes fraction", "data": "data", "x data": ("data", "axes fraction"), "y data": ("axes fraction", "data"),
    }[at]  # fmt: skip
    said = word(words, lang) if isinstance(words, Text) else words
    look = {"fontsize": 9.5, "annotation_clip": False, "xytext": offset, "textcoords": "offset points", **look}
    axes.annotate(said, place, xycoords=coordinates, **look)


def png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as the bytes of a PNG file. Call it inside `drawing`: some labels are made only now."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
