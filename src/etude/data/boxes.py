"""Pictures of a COCO set with their labelled boxes drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from etude.core.errors import EtudeError
from etude.core.plotting import COLOURS, word
from etude.core.text import Lang, Text
from etude.data.coco import Box, Coco, CocoPicture
from etude.data.decode import Unreadable, read_picture

_WIDTH, _GAP, _CAPTION, _TITLE = 10.0, 0.15, 0.3, 0.45  # inches
_FONT, _SMALL = 8.5, 8.0  # points
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
_CONSIDERED = 5000  # pictures from which the ones shown are chosen
_LEGIBLE = 6  # boxes in a picture; of more it is hard to tell which is which
_PIXELS = 1000  # longer side of what is drawn


@dataclass(frozen=True)
class _Tag:
    """Where a label stands, in pixels of the picture."""

    left: float
    top: float
    width: float
    height: float

    def covers(self, other: _Tag) -> bool:
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )


def boxes_figure(
    coco: Coco, lang: Lang, count: int = 6, pictures: Sequence[CocoPicture] | None = None
) -> Figure:
    """Some pictures of a set with their boxes and the names of the classes.

    Without ``pictures`` those are chosen that show the most classes with few boxes each. Every class has its colour,
    and beyond eight its own dashes; a box around a crowd has short dashes and says so. The names stand at the boxes,
    where they do not cover each other.

    Args:
        count: of pictures, at most.
        pictures: those to be shown.

    Raises:
        EtudeError: the files of the pictures are nowhere.
    """
    chosen = list(pictures) if pictures is not None else choose_pictures(coco, count)
    loaded = [(each, image) for each in chosen if (image := _load(each)) is not None]
    if not loaded:
        raise EtudeError(
            en=f"None of the {len(coco.pictures):,} pictures of {coco.path} was found, so none can be drawn; put them "
            f"beside it or into {coco.path.parent / 'images'}.",
            zh=f"没有找到 {coco.path} 的 {len(coco.pictures):,} 张图片中的任何一张，无法绘图；"
            f"请把它们放在该文件旁边，或放入 {coco.path.parent / 'images'}。",
        )
    rows = _rows([image.width / image.height for _, image in loaded])
    heights = [_row_height(row) for row in rows]
    tall = _TITLE + sum(heights) + len(rows) * (_CAPTION + _GAP)
    figure = Figure(figsize=(_WIDTH, tall))
    figure.suptitle(word(_title(coco, len(loaded)), lang), x=_GAP / _WIDTH, y=1 - 0.12 / tall, ha="left", va="top",
                    fontsize=12, fontweight="bold")  # fmt: skip
    waiting = iter(loaded)
    down = _TITLE
    for row, height in zip(rows, heights):
        across = _GAP
        for aspect in row:
            place = (across / _WIDTH, 1 - (down + height) / tall, aspect * height / _WIDTH, height / tall)
            picture, image = next(waiting)
            _draw(figure.add_axes(place), picture, image, coco.classes, aspect * height, lang)
            across += aspect * height + _GAP
        down += height + _CAPTION + _GAP
    return figure


def choose_pictures(coco: Coco, count: int) -> list[CocoPicture]:
    """Pictures that show the most classes and not too many boxes each, in the order of the set."""
    waiting = [each for each in coco.pictures if each.path is not None][:_CONSIDERED]
    chosen: list[CocoPicture] = []
    shown: set[int] = set()
    while waiting and len(chosen) < count:
        best = max(waiting, key=lambda each: _worth(each, shown))
        waiting.remove(best)
        chosen.append(best)
        shown |= {box.label for box in best.boxes}
    return sorted(chosen, key=coco.pictures.index)


def _worth(picture: CocoPicture, shown: set[int]) -> tuple[float, ...]:
    new = len({box.label for box in picture.boxes} - shown)
    too_many = max(0, len(picture.boxes) - _LEGIBLE)
    return new - 0.5 * too_many, bool(picture.boxes) - too_many, -sum(box.crowd for box in picture.boxes)


def _load(picture: CocoPicture) -> Image.Image | None:
    """The picture as its boxes see it, or None where it cannot be read."""
    if picture.path is None:
        return None
    try:
        upright = read_picture(picture.path, 3)
        wanted = (picture.width, picture.height)
        # some tools count pixels before a photo is turned upright, and some after
        if upright.size != wanted and upright.size[::-1] == wanted:
            with Image.open(picture.path) as raw:
                return Image.fromarray(np.asarray(raw.convert("RGB")))
    except (Unreadable, OSError):
        return None
    return upright


def _title(coco: Coco, shown: int) -> Text:
    boxes = sum(len(each.boxes) for each in coco.pictures)
    return Text(
        en=f"{coco.path.name}: {boxes:,} boxes of {len(coco.classes):,} classes in {len(coco.pictures):,} pictures; "
        f"{shown} of them here",
        zh=f"{coco.path.name}：{len(coco.pictures):,} 张图片中有 {len(coco.classes):,} 类共 {boxes:,} 个标注框；此处为其中 {shown} 张",
    )


def _rows(aspects: list[float]) -> list[list[float]]:
    """Which pictures stand side by side: as many as give rows that are not too tall."""
    rows: list[list[float]] = [[]]
    for aspect in aspects:
        if sum(rows[-1]) >= 2.9 and len(rows[-1]) >= 2:
            rows.append([])
        rows[-1].append(aspect)
    return rows


def _row_height(row: list[float]) -> float:
    """In inches; the row fills the width unless it would become too tall."""
    return min((_WIDTH - (len(row) + 1) * _GAP) / sum(row), 3.6)


def _draw(
    axes: Axes, picture: CocoPicture, image: Image.Image, classes: Sequence[str], inches: float, lang: Lang
) -> None:
    """One picture, its boxes, and its name, size and number of boxes below."""
    width, height = image.size
    image.thumbnail((_PIXELS, _PIXELS))
    axes.imshow(np.asarray(image), extent=(0, width, height, 0), aspect="auto", interpolation="lanczos")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    point = width / (72 * inches)  # pixels of the picture in a point of the figure
    ordered = sorted(picture.boxes, key=lambda box: box.width * box.height, reverse=True)
    for box in ordered:
        _outline(axes, box)
    tags: list[_Tag] = []
    for box in reversed(ordered):  # a small box has fewer places for its name
        _name(axes, box, _said(box, classes, lang), tags, point, (width, height))
    axes.annotate(
        _caption(picture, (width, height), inches, lang).replace("$", r"\$"), (0, 0), xycoords="axes fraction",
        xytext=(0, -4), textcoords="offset points", va="top", fontsize=_SMALL, color="#444444",
    )  # fmt: skip


def _caption(picture: CocoPicture, size: tuple[int, int], inches: float, lang: Lang) -> str:
    """Name, size and number of boxes, as much of them as fits under the picture."""
    boxes = len(picture.boxes)
    counted = word(Text(en=f"{boxes} box" if boxes == 1 else f"{boxes} boxes", zh=f"{boxes} 个框"), lang)
    name = picture.name.replace("\\", "/").rpartition("/")[2]
    letters = int(72 * inches / (0.62 * _SMALL))
    for facts in (f" · {size[0]}×{size[1]} · {counted}", f" · {counted}"):
        room = letters - len(facts)
        if len(name) <= room:
            return name + facts
        if room >= 12:
            return f"{name[: room // 2 - 1]}…{name[-(room - room // 2) :]}{facts}"
    return counted


def _said(box: Box, classes: Sequence[str], lang: Lang) -> str:
    name = classes[box.label]
    if box.crowd:
        name = word(Text(en="{name} (crowd)", zh="{name}（成群）").format(name=name), lang)
    return name if len(name) <= 24 else name[:23] + "…"


def _outline(axes: Axes, box: Box) -> None:
    axes.add_patch(
        Rectangle(
            (box.x, box.y), box.width, box.height, fill=False, edgecolor=_colour(box), linewidth=2.2,
            linestyle=(0, (2, 2)) if box.crowd else _DASHES[box.label // len(COLOURS) % len(_DASHES)],
            path_effects=[patheffects.Stroke(linewidth=4, foreground=_on(_colour(box))), patheffects.Normal()],
        )
    )  # fmt: skip


def _name(axes: Axes, box: Box, words: str, tags: list[_Tag], point: float, size: tuple[int, int]) -> None:
    """The class's name at its box, in the first place where it covers no other; nowhere if there is none."""
    # matplotlib knows the width of a text only when it draws; Chinese characters are square, Latin ones narrower
    length = sum(1.0 if ord(letter) > 0x2E80 else 0.64 for letter in words)
    wide, tall = (length * _FONT + 5) * point, (_FONT + 5) * point
    right, bottom = box.x + box.width, box.y + box.height
    places = (
        (box.x, box.y - tall), (box.x, box.y), (box.x, bottom), (box.x, bottom - tall),
        (right - wide, box.y - tall), (right - wide, box.y), (right - wide, bottom), (right - wide, bottom - tall),
    )  # fmt: skip
    for left, top in places:
        left = min(max(left, 0), max(size[0] - wide, 0))
        tag = _Tag(left, top, wide, tall)
        if top < 0 or top + tall > size[1] or any(tag.covers(other) for other in tags):
            continue
        tags.append(tag)
        axes.add_patch(
            Rectangle((left, top), wide, tall, facecolor=_colour(box), edgecolor="white", linewidth=0.6)
        )
        axes.text(left + wide / 2, top + tall / 2, words.replace("$", r"\$"), fontsize=_FONT, fontweight="bold",
                  color=_on(_colour(box)), ha="center", va="center_baseline")  # fmt: skip
        return


def _colour(box: Box) -> str:
    return COLOURS[box.label % len(COLOURS)]


def _on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour`` (WCAG 2.1's relative luminance)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear))
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"
