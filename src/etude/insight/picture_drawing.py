"""A picture on axes, as it is or faded behind what is drawn over it; a map of signed numbers; a box around pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from etude.core.plotting import word
from etude.core.text import Lang, Text

SIGNED = "RdBu_r"  # blue below 0, white at 0, red above: also for red-green blindness
STRENGTH = "viridis"


def show_picture(axes: Axes, pixels: np.ndarray, faded: float = 0.0) -> None:
    """Draw uint8 ``[channels, height, width]`` with nothing around it.

    Args:
        faded: 0 as it is, 1 white; in between it is grey and pale, for something to be drawn over it.
    """
    picture = np.asarray(pixels, dtype=np.float64).transpose(1, 2, 0) / 255
    if faded:
        picture = picture.mean(2, keepdims=True)
        picture = faded + (1 - faded) * picture
    if picture.shape[2] == 1:
        axes.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(picture)
    axes.set_axis_off()


def show_map(axes: Axes, values: np.ndarray, limit: float, signed: bool) -> None:
    """Draw ``[height, width]`` in the colours of strength, from 0 to ``limit``, or in signed ones around 0."""
    limit = limit or 1.0
    axes.imshow(values, cmap=SIGNED if signed else STRENGTH, vmin=-limit if signed else 0, vmax=limit)
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#BBBBBB")
        spine.set_linewidth(0.6)


def draw_box(axes: Axes, box: tuple[int, int, int, int], colour: str, **look: Any) -> None:
    """Outline the pixels of ``(top, left, bottom, right)``, the latter two exclusive."""
    top, left, bottom, right = box
    look = {"fill": False, "lw": 2, "clip_on": False, **look}
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, ec=colour, **look))


def footnote(figure: Figure, text: Text, lang: Lang) -> None:
    """How to read the figure, or how it was made, in small letters below it."""
    figure.supxlabel(word(text, lang), x=0.012, ha="left", fontsize=9.5, color="#555555")


def as_colours(kernel: np.ndarray) -> np.ndarray:
    """A kernel ``[3, height, width]`` as a colour picture ``[height, width, 3]``: 0 is grey, its largest weight full."""
    return 0.5 + kernel.transpose(1, 2, 0) / (2 * (np.abs(kernel).max() or 1.0))


def size_words(shape: tuple[int, ...]) -> str:
    """``28×28``."""
    return "×".join(str(int(size)) if size == int(size) else f"{size:.1f}" for size in shape)
