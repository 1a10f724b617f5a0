"""Which pictures a folder holds, of which class, and of which part. Nothing is opened here."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from etude.core.errors import EtudeError
from etude.core.files import explain_os_error
from etude.core.text import Text
from etude.data.imagenet import LISTS, class_words, flat_labels

Part = Literal["train", "validation", "test"]

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"})

_PARTS: dict[str, Part] = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_FLAT = "images"  # the one folder in which Tiny ImageNet keeps the pictures of a part
_IGNORED = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Picture:
    """One file that looks like a picture by its name.

    Args:
        path: where it is.
        name: its path relative to the folder scanned, with ``/``; always printable.
        label: the name of its class.
        part: the part that its folder says, or None where the folder has no parts.
        folder: the name of the class's folder, where that is a WordNet number and the label the word for it.
    """

    path: Path
    name: str
    label: str
    part: Part | None = None
    folder: str = ""


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Args:
        folder: the folder scanned.
        pictures: in natural order of part, class and name; the same folder always gives the same order.
        parts: the parts that the folder is divided into; empty where it is not.
        strays: pictures that lie in no class folder.
        others: how many files are no pictures by their name.
        empty: class folders without any picture.
        closed: folders that may not be read.
    """

    folder: Path
    pictures: tuple[Picture, ...]
    parts: tuple[Part, ...] = ()
    strays: tuple[str, ...] = ()
    others: int = 0
    empty: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


Way = tuple[str, ...]
"""The names on the way from the folder scanned to something in it."""


class _Found(NamedTuple):
    """What lies below a folder."""

    pictures: list[Way]
    folders: list[Way]
    closed: list[Way]
    others: int


def scan_folder(folder: Path, to_train: bool = True) -> Scan:
    """Find the pictures in ``CLASS/…``, or in ``train/CLASS/…``, ``val/CLASS/…``, ``test/CLASS/…``.

    Folders inside a class folder belong to that class. Class folders named by WordNet's numbers get the words for them,
    and flat parts (``val/*.JPEG``, ``val/images/*.JPEG``) the labels of their list, where the set has such files as
    ImageNet and Tiny ImageNet do. Hidden files and what macOS and Windows leave behind
    are passed over. A link to a folder is followed, unless it leads back to where it lies.

    Args:
        folder: the folder.
        to_train: parts without one for training are refused; what only measures a run needs none.

    Raises:
        EtudeError: there is no such folder, no picture in it, or no class folder.
    """
    if not folder.is_dir():
        raise EtudeError(en=f"There is no folder {folder}.", zh=f"没有文件夹 {folder}。")
    try:
        found = _walk(folder)
    except OSError as error:
        raise explain_os_error(error, folder) from None
    if not found.pictures:
        raise EtudeError(
            en=f"{folder} holds no pictures ({', '.join(sorted(IMAGE_ENDINGS))}); {_layout(folder).en}",
            zh=f"{folder} 中没有图片（{'、'.join(sorted(IMAGE_ENDINGS))}）；{_layout(folder).zh}",
        )
    placed = _place(folder, found.pictures)
    divided = _is_divided(folder, placed.values(), to_train)
    depth = 2 if divided else 1
    inside = {way: place for way, place in placed.items() if len(place) > depth and _counts(place, divided)}
    if not inside:
        raise EtudeError(
            en=f"The pictures in {folder} lie in no class folders; {_layout(folder).en}",
            zh=f"{folder} 中的图片没有放在类别文件夹里；{_layout(folder).zh}",
        )
    words = class_words(folder, {place[depth - 1] for place in inside.values()})
    pictures = [_picture(folder, way, place, divided, words) for way, place in inside.items()]
    order = ("train", "validation", "test", None)
    # by number and not by word, so that ImageNet's classes keep the order that trained networks know
    pictures.sort(
        key=lambda each: (
            order.index(each.part),
            natural_key(each.folder or each.label),
            natural_key(each.name),
        )
    )
    used = {way[:depth] for way in found.pictures if len(way) > depth}
    return Scan(
        folder,
        tuple(pictures),
        tuple(part for part in order if part and divided and any(each.part == part for each in pictures)),
        _names(way for way in placed if way not in inside),
        found.others,
        _names(way for way in found.folders if len(way) == depth and way not in used and _counts(way, divided)),
        _names(found.closed),
    )


def natural_key(name: str) -> Any:
    """A key that sorts ``img2`` before ``img10``, and capitals with small letters."""
    pieces = re.split(r"([0-9]+)", name)
    return [int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(pieces)], name


def _walk(folder: Path) -> _Found:
    pictures, folders, closed, others = [], [], [], 0
    waiting: list[tuple[Path, Way, frozenset[tuple[int, int]]]] = [(folder, (), frozenset())]
    while waiting:
        place, way, above = waiting.pop()
        try:
            status = os.stat(place)
            itself = (status.st_dev, status.st_ino)
            if itself in above:  # a link that leads back up
                continue
            entries = [entry for entry in os.scandir(place) if not _ignored(entry.name)]
        except OSError:
            if not way:
                raise
            closed.append(way)
            continue
        for entry in entries:
            further = (*way, entry.name)
            if _is_folder(entry):
                folders.append(further)
                waiting.append((Path(entry.path), further, above | {itself}))
            elif os.path.splitext(entry.name)[1].lower() in IMAGE_ENDINGS:
                pictures.append(further)
            elif entry.name not in LISTS:
                others += 1
    return _Found(pictures, folders, closed, others)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED


def _place(folder: Path, ways: Iterable[Way]) -> dict[Way, Way]:
    """Where each picture counts as lying: that of a flat part in the class folder that a list names for it.

    One that no list names counts as lying loose in its part.
    """
    placed = {way: way for way in ways}
    tops = {way[0] for way in placed if len(way) > 1}
    if tops <= {_FLAT}:  # such a part by itself
        labels = flat_labels(folder, "val")
        return {way: (label, way[-1]) if (label := _label(labels, way)) else way for way in placed}
    training = {way[1] for way in placed if len(way) > 2 and _PARTS.get(way[0].lower()) == "train"}
    for top in tops:
        inner = {way[1] for way in placed if way[0] == top and len(way) > 2}
        part = _PARTS.get(top.lower())
        if not training or _FLAT in training or part in (None, "train") or not inner <= {_FLAT}:
            continue
        labels = flat_labels(folder / top, "val" if part == "validation" else "test")
        for way in placed:
            if way[0] == top:
                label = _label(labels, way)
                placed[way] = (top, label, way[-1]) if label else (top, way[-1])
    return placed


def _label(labels: dict[str, str], way: Way) -> str | None:
    return labels.get(way[-1]) or labels.get(os.path.splitext(way[-1])[0])


def _is_divided(folder: Path, ways: Iterable[Way], to_train: bool) -> bool:
    """Whether the folders on top are parts (train, val, test) and not classes.

    Raises:
        EtudeError: they are parts, but none is for training, where one is needed.
    """
    ways = list(ways)
    tops = {way[0] for way in ways if len(way) > 1}
    parts = {top for top in tops if top.lower() in _PARTS}
    inner: dict[str, set[str]] = {
        top: {way[1] for way in ways if way[0] == top and len(way) > 2} for top in parts
    }
    training = {name for top in parts if _PARTS[top.lower()] == "train" for name in inner[top]}
    if training:
        held_out = {name for top in parts if _PARTS[top.lower()] != "train" for name in inner[top]}
        return parts == tops or bool(training & held_out)
    if tops and parts == tops and any(inner.values()):
        if not to_train:
            return True
        raise EtudeError(
            en=f"{folder} has {' and '.join(sorted(parts))} but no train with a folder for each class in it; "
            f"{_layout(folder).en}",
            zh=f"{folder} 中有 {'、'.join(sorted(parts))}，但没有内含各类别文件夹的 train；{_layout(folder).zh}",
        )
    return False


def _counts(way: Way, divided: bool) -> bool:
    return not divided or way[0].lower() in _PARTS


def _picture(folder: Path, way: Way, place: Way, divided: bool, words: dict[str, str]) -> Picture:
    name = place[1 if divided else 0]
    label = unicodedata.normalize("NFC", words.get(name) or _printable(name))
    return Picture(
        folder.joinpath(*way),
        _printable("/".join(way)),
        label,
        _PARTS[place[0].lower()] if divided else None,
        name if name in words else "",
    )


def _names(ways: Iterable[Way]) -> tuple[str, ...]:
    return tuple(sorted((_printable("/".join(way)) for way in ways), key=natural_key))


def _printable(name: str) -> str:
    """``name`` without the lone surrogates that stand for bytes which are no UTF-8."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "replace")


def _layout(folder: Path) -> Text:
    name = folder.absolute().name or "photos"
    return Text(
        en=f"put the pictures of each class in a folder of its own: {name}/cat/1.jpg, {name}/dog/2.jpg, … "
        f"(or {name}/train/cat/1.jpg, {name}/test/cat/2.jpg, …).",
        zh=f"请把每一类图片放进各自的文件夹：{name}/cat/1.jpg、{name}/dog/2.jpg……"
        f"（或 {name}/train/cat/1.jpg、{name}/test/cat/2.jpg……）。",
    )
