"""What the catalogue knows about a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etude.core.text import Text, same
from etude.data.load_table import RawTable

Progress = Callable[[int, int], None] | None
"""Called with (done, total) while something long goes on."""


@dataclass(frozen=True)
class RawImages:
    """A data set as its authors give it.

    Args:
        train_images: uint8 ``[n, channels, height, width]``.
        train_labels: int64 ``[n]``.
        test_images, test_labels: the same of the official test part, or None where there is none.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None


@dataclass(frozen=True)
class NamedDataset:
    """One data set of the catalogue.

    Args:
        name: what it is asked for by.
        title: what it shows, in a few words.
        classes: the names of the classes, in the order of the labels.
        licence, source: whose it is, and where it comes from.
        input_shape: ``(channels, height, width)``.
        sizes: pictures in the training part and in the official test part (0: none).
        load: reads it, given the folder of downloaded data and a progress function.
        where: tells where it is at hand, given that folder: a path, ``"bundled"``, or None if it must be downloaded.
        validation_size: pictures held out of the training part for validation, unless asked otherwise.
        augmentations: what may be done to a picture without changing its class.
        background: ``"dark"`` where the pictures are bright on black.
    """

    name: str
    title: Text
    classes: tuple[str, ...]
    licence: str
    source: str
    input_shape: tuple[int, int, int]
    sizes: tuple[int, int]
    load: Callable[[Path, Progress], RawImages]
    where: Callable[[Path], str | None]
    validation_size: int
    augmentations: tuple[str, ...] = ()
    background: str = "any"


NO_UNIT = same("")


@dataclass(frozen=True)
class NamedColumn:
    """What a column of a named table means.

    Args:
        name: what it is called.
        about: what it says, in a few words.
        unit: of its numbers; empty where they have none.
    """

    name: str
    about: Text
    unit: Text = NO_UNIT


@dataclass(frozen=True)
class NamedTable:
    """One table of the catalogue.

    Args:
        name: what it is asked for by.
        title: what it shows, in a few words.
        columns: those learnt from, in order.
        target: the one to be learnt.
        classes: the names of the classes, in natural order; empty where the target is a number.
        licence, source: whose it is, and where it comes from.
        rows: how many there are.
        load: reads it.
    """

    name: str
    title: Text
    columns: tuple[NamedColumn, ...]
    target: NamedColumn
    classes: tuple[str, ...]
    licence: str
    source: str
    rows: int
    load: Callable[[], RawTable]

    def where(self, data_dir: Path) -> str:
        """Where it is at hand: every table comes with étude or with what étude needs."""
        return "bundled"


Entry = NamedDataset | NamedTable
