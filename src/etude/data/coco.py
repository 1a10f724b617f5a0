"""COCO's format of labelled boxes (Lin et al. 2014, "Microsoft COCO: Common Objects in Context"), looked over as it is read.

One JSON file lists ``images`` (id, file_name, width, height), ``categories`` (id, name) and ``annotations`` (image_id,
category_id, bbox). A box is ``[x, y, width, height]`` in pixels, from the picture's top left corner.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.core.errors import EtudeError
from etude.core.files import read_json
from etude.core.text import Text
from etude.data.coco_findings import Noted
from etude.data.decode import Unreadable, read_header

SMALL, LARGE = 32**2, 96**2
"""COCO's bounds of small and large objects, in square pixels."""

_OPENED = 2000  # pictures whose real size is compared with the file's: all of val2017 would take seconds
_SLACK = 1.0  # pixels that a box may reach beyond its picture: annotation tools round


@dataclass(frozen=True)
class Box:
    """A labelled box in a picture.

    Args:
        label: index into the set's ``classes``.
        x, y: its left and its top edge, in pixels from the picture's top left corner.
        width, height: in pixels.
        crowd: it is around a group of things that nobody told apart.
    """

    label: int
    x: float
    y: float
    width: float
    height: float
    crowd: bool = False


@dataclass(frozen=True)
class CocoPicture:
    """A picture with its boxes.

    Args:
        name: its file's name, as the JSON has it.
        width, height: its size in pixels, as the JSON has it.
        path: its file, or None where there is none.
        boxes: in the order of the JSON.
    """

    name: str
    width: int
    height: int
    path: Path | None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Coco:
    """A set of pictures with labelled boxes.

    Args:
        path: the JSON file.
        classes: the names of the categories, in the order of their ids.
        pictures: in the order of the JSON.
        findings: what was noticed while looking it over, worth telling a person.
    """

    path: Path
    classes: tuple[str, ...]
    pictures: tuple[CocoPicture, ...]
    findings: tuple[Text, ...] = ()


def read_coco(path: Path) -> Coco:
    """The pictures and boxes of a file such as ``instances_val2017.json``.

    The pictures are looked for beside the file and where COCO, torchvision and Roboflow keep them
    (``images/``, ``val2017/``, ``../val2017/``, …). Broken entries are left out and told in ``findings``.

    Raises:
        EtudeError: it is no JSON, no such file, or there is nothing in it.
    """
    content = _content(path)
    noted = Noted()
    labels, classes = _categories(content["categories"], path, noted)
    images = _images(content["images"], path, noted)
    boxes = _boxes(content["annotations"], images, labels, noted)
    pictures = tuple(
        CocoPicture(each.name, each.width, each.height, each.path, tuple(boxes[number]))
        for number, each in images.items()
    )
    counts = Counter(box.label for each in pictures for box in each.boxes)
    for label, name in enumerate(classes):
        if not counts[label]:
            noted.add("class without a box", name)
    return Coco(path, classes, pictures, noted.findings())


def coco_facts(coco: Coco) -> dict[str, Any]:
    """What a set holds, as JSON: how many pictures and boxes of each class, their sizes, the findings in English."""
    boxes = [box for each in coco.pictures for box in each.boxes]
    counts = Counter(box.label for box in boxes)
    shown_in = Counter(label for each in coco.pictures for label in {box.label for box in each.boxes})
    areas = [box.width * box.height for box in boxes]
    by_size = sorted((each.width * each.height, each.width, each.height) for each in coco.pictures)
    return {
        "path": str(coco.path),
        "pictures": len(coco.pictures),
        "pictures_found": sum(each.path is not None for each in coco.pictures),
        "pictures_without_boxes": sum(not each.boxes for each in coco.pictures),
        "smallest_picture": list(by_size[0][1:]),
        "largest_picture": list(by_size[-1][1:]),
        "boxes": len(boxes),
        "crowds": sum(box.crowd for box in boxes),
        "most_boxes_in_a_picture": max(len(each.boxes) for each in coco.pictures),
        "small_boxes": sum(area < SMALL for area in areas),
        "medium_boxes": sum(SMALL <= area < LARGE for area in areas),
        "large_boxes": sum(area >= LARGE for area in areas),
        "classes": {
            name: {"boxes": counts[label], "pictures": shown_in[label]}
            for label, name in enumerate(coco.classes)
        },
        "findings": [finding.en for finding in coco.findings],
    }


def _content(path: Path) -> dict[str, list[Any]]:
    """The three lists of the file.

    Raises:
        EtudeError: it is something else; the sentence says what it looks like.
    """
    content = read_json(path)
    wanted = ("images", "annotations", "categories")
    if isinstance(content, list):
        raise EtudeError(
            en=f"{path} is a list, as detectors' results are; give the file with images, annotations and categories "
            "(such as instances_val2017.json).",
            zh=f"{path} 是一个列表，像是检测结果；请给出含 images、annotations 和 categories 的标注文件（如 instances_val2017.json）。",
        )
    missing = [
        name for name in wanted if not isinstance(content, dict) or not isinstance(content.get(name), list)
    ]
    if missing:
        raise EtudeError(
            en=f"{path} is not in COCO's format of boxes: it has no list '{missing[0]}'; give a file with images, "
            "annotations and categories (such as instances_val2017.json; captions have no boxes).",
            zh=f"{path} 不是 COCO 的标注框格式：缺少列表“{missing[0]}”；请给出含 images、annotations 和 categories 的文件"
            "（如 instances_val2017.json；captions 文件没有标注框）。",
        )
    empty = next((name for name in ("images", "categories") if not content[name]), None)
    if empty:
        raise EtudeError(
            en=f"{path} has an empty list '{empty}': there is nothing to look at.",
            zh=f"{path} 中的列表“{empty}”是空的：没有可看的内容。",
        )
    return content


def _categories(entries: list[Any], path: Path, noted: Noted) -> tuple[dict[Any, int], tuple[str, ...]]:
    """The label of each category by its id, and the names of the classes."""
    names: dict[Any, str] = {}
    for place, each in enumerate(entries):
        number = each.get("id") if isinstance(each, dict) else None
        if not _is_id(number) or not isinstance(each.get("name"), str):
            noted.add("broken category", f"categories[{place}]")
        elif number in names:
            noted.add("second category of an id", f"{each['name']} ({number})")
        else:
            names[number] = each["name"]
    if not names:
        raise EtudeError(
            en=f"No category in {path} has an id and a name; nothing can be labelled by it.",
            zh=f"{path} 中没有一个类别同时有 id 和 name，无法标注任何内容。",
        )
    ordered = sorted(names, key=lambda number: (isinstance(number, str), number))
    for name, count in Counter(names.values()).items():
        if count > 1:
            noted.add("name of two categories", name)
    return {number: label for label, number in enumerate(ordered)}, tuple(names[number] for number in ordered)


def _images(entries: list[Any], path: Path, noted: Noted) -> dict[Any, CocoPicture]:
    """The pictures by their id, without boxes yet."""
    named = [each for each in entries if isinstance(each, dict) and isinstance(each.get("file_name"), str)]
    folder = _folder(path, [each["file_name"] for each in named])
    found: dict[Any, CocoPicture] = {}
    for place, each in enumerate(entries):
        number = each.get("id") if isinstance(each, dict) else None
        if not _is_id(number) or not isinstance(each.get("file_name"), str):
            noted.add("broken image", f"images[{place}]")
            continue
        if number in found:
            noted.add("second image of an id", f"{each['file_name']} ({number})")
            continue
        name = each["file_name"]
        file = _file(folder, name)
        size = (each.get("width"), each.get("height"))
        stated = size if all(_is_number(side) and side > 0 for side in size) else None
        actual = None
        if file is None:
            noted.add("picture not found", name, near=folder)
        elif place < _OPENED or stated is None:
            try:
                actual = read_header(file)[:2]
            except Unreadable:
                noted.add("picture unreadable", name)
                file = None
        if stated is None and actual is None:
            noted.add("image without a size", name)
            continue
        if (
            stated and actual and tuple(stated) not in (actual, actual[::-1])
        ):  # turned by its EXIF data: the same
            noted.add("size differs", f"{name} ({stated[0]}×{stated[1]}, {actual[0]}×{actual[1]})")
        width, height = stated or actual
        found[number] = CocoPicture(name, int(width), int(height), file)
    if not found:
        raise EtudeError(
            en=f"No image in {path} has an id, a file_name, a width and a height; there is nothing to look at.",
            zh=f"{path} 中没有一张图片具备 id、file_name、width 和 height；没有可看的内容。",
        )
    return found


def _boxes(
    entries: list[Any], images: dict[Any, CocoPicture], labels: dict[Any, int], noted: Noted
) -> dict[Any, list[Box]]:
    """The boxes of each picture by its id."""
    boxes: dict[Any, list[Box]] = defaultdict(list)
    for place, each in enumerate(entries):
        if not isinstance(each, dict):
            noted.add("annotation without a box", f"annotations[{place}]")
            continue
        name = f"{each['id']}" if _is_id(each.get("id")) else f"annotations[{place}]"
        image, category, corners = each.get("image_id"), each.get("category_id"), each.get("bbox")
        problem = None
        if not isinstance(corners, list) or len(corners) != 4 or not all(map(_is_number, corners)):
            problem = "annotation without a box"
        elif not _is_id(image) or image not in images:
            problem = "annotation of no image"
        elif not _is_id(category) or category not in labels:
            problem = "annotation of no category"
        elif corners[2] <= 0 or corners[3] <= 0:
            problem = "box without an area"
        if problem:
            noted.add(problem, name)
            continue
        x, y, width, height = map(float, corners)
        picture = images[image]
        if x >= picture.width or y >= picture.height or x + width <= 0 or y + height <= 0:
            noted.add("box outside its picture", name)
            continue
        beyond = max(-x, -y, x + width - picture.width, y + height - picture.height)
        if beyond > _SLACK:
            noted.add("box beyond its picture", name)
        elif max(corners) <= 1:
            noted.add("box within one pixel", name)
        boxes[image].append(Box(labels[category], x, y, width, height, bool(each.get("iscrowd"))))
    return boxes


def _folder(path: Path, names: list[str]) -> Path:
    """Where the pictures are: of the usual places the one that has most of the first names."""
    beside, above = path.absolute().parent, path.absolute().parent.parent
    part = path.stem.removeprefix("instances_")
    places = (
        beside, beside / "images", beside / part, beside / "images" / part,
        above / part, above / "images" / part, above / "images", above / "JPEGImages", above,
    )  # fmt: skip
    return max(places, key=lambda place: sum(_file(place, name) is not None for name in names[:50]))


def _file(folder: Path, name: str) -> Path | None:
    name = name.replace("\\", "/")  # tools on Windows write such
    for candidate in (name, name.rpartition("/")[2]):
        try:
            if candidate and (folder / candidate).is_file():
                return folder / candidate
        except (OSError, ValueError):  # a name too long, or with a null byte
            continue
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
