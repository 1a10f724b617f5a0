"""What a network said of every test example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Labelled pictures, or rows of a table, with the probabilities that a network gave.

    Args:
        labels: int64 ``[n]``.
        probabilities: float32 ``[n, num_classes]``.
        images: uint8 ``[n, channels, height, width]``; may be a memory map, of which only what is shown is read.
            None for the rows of a table.
        names: a file path for each picture, or empty.
        classes: the names of the classes.
        rows: int64 ``[n]``: which data rows of a table these are (from 0); None for pictures.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    images: np.ndarray | None
    names: Sequence[str]
    classes: tuple[str, ...]
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class of each example: int64 ``[n]``."""
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the likeliest class: float32 ``[n]``."""
        return self.probabilities.max(1)

    def worst(self, count: int) -> np.ndarray:
        """The indices of the most confident mistakes, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:count]


@dataclass(frozen=True)
class RegressionPredictions:
    """Measured numbers with those that a network predicted, in the target's own unit.

    Args:
        targets: float32 ``[n]``: what was measured.
        predictions: float32 ``[n]``.
        target: the name of what is predicted.
        rows: int64 ``[n]``: which data rows of a table these are (from 0), or None.
        train_mean: the mean of the training targets, which is what one would say knowing nothing of an example; or None.
    """

    targets: np.ndarray
    predictions: np.ndarray
    target: str
    rows: np.ndarray | None = None
    train_mean: float | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def residuals(self) -> np.ndarray:
        """Measured minus predicted: float64 ``[n]``; positive where the prediction is too low."""
        return self.targets.astype(np.float64) - self.predictions.astype(np.float64)

    def worst(self, count: int) -> np.ndarray:
        """The indices of the largest errors, the largest first."""
        return np.argsort(-np.abs(self.residuals), kind="stable")[:count]
