"""What a data set of images is once it has been read: arrays, names, where it came from, what was noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from etude.core.text import Text


@dataclass(frozen=True)
class Examples:
    """Labelled pictures of one part (training, validation or test) of a data set.

    Args:
        images: uint8 ``[n, channels, height, width]``; may be a read-only memory map.
        labels: int64 ``[n]``, indices into the data set's ``classes``.
        rows: int64 ``[n]`` or None: which rows of ``images`` these are, in order. With ``rows`` several
            parts share one array and nothing is copied; ``labels`` is already in the order of ``rows``.
        names: a file path for each example (relative to the folder read), or empty.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray | None = None
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self) -> np.ndarray:
        """uint8 ``[n, channels, height, width]`` in the order of ``labels`` (copies when ``rows`` is set)."""
        return np.asarray(self.images if self.rows is None else self.images[self.rows])


@dataclass(frozen=True)
class ImageData:
    """A data set of labelled images, split in three.

    Args:
        name: the name it was asked for by.
        classes: the name of each class; labels index it.
        train, validation, test: the three parts. They share no example.
        mean, std: per channel, of the training part, on the scale where 255 is 1.
        fingerprint: SHA-256 over the content of every example and the split; equal if and only if
            training would see the same numbers.
        split: how the parts were made: their sizes, the seed, the rule. JSON.
        augmentations: what may be done to a picture without changing its class, of ``"flip"`` (mirror)
            and ``"crop"`` (pad and crop).
        findings: what was noticed while looking the data over, worth telling a person.
        preparation: how a new picture must be prepared to look like these (channels, size, fit). JSON.
        source: where it came from. JSON.
    """

    name: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    split: dict[str, Any]
    augmentations: tuple[str, ...] = ()
    findings: tuple[Text, ...] = ()
    preparation: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)`` of one example."""
        channels, height, width = self.train.images.shape[1:]
        return int(channels), int(height), int(width)
