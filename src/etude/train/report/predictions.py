"""What a network said of every test picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Labelled pictures with the probabilities that a network gave.

    Args:
        labels: int64 ``[n]``.
        probabilities: float32 ``[n, num_classes]``.
        images: uint8 ``[n, channels, height, width]``; may be a memory map, of which only what is shown is read.
        names: a file path for each picture, or empty.
        classes: the names of the classes.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    images: np.ndarray
    names: Sequence[str]
    classes: tuple[str, ...]

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class of each picture: int64 ``[n]``."""
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the likeliest class: float32 ``[n]``."""
        return self.probabilities.max(1)

    def worst(self, count: int) -> np.ndarray:
        """The indices of the most confident mistakes, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:count]
