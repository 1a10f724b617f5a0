"""Numbers about predictions: per class, with intervals, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class ClassRow:
    """One class: how many pictures it has, and how well they are told apart. None where nothing is to be divided."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 ``[num_classes, num_classes]``: how often the class of the row was taken for that of the column."""
    flat = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def per_class_table(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> list[ClassRow]:
    """Support, precision, recall and F1 of every class."""
    counts = confusion_counts(labels, predicted, len(classes))
    rows = []
    for index, name in enumerate(classes):
        right, is_class, said = int(counts[index, index]), int(counts[index].sum()), int(counts[:, index].sum())
        rows.append(
            ClassRow(
                name,
                is_class,
                right / said if said else None,
                right / is_class if is_class else None,
                2 * right / (is_class + said) if is_class + said else None,
            )
        )
    return rows


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): what the accuracy on endless test data plausibly is."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, _Z95**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    # where none or all are right the bound is exact, not what rounding makes of it
    return centre - half if right else 0.0, centre + half if right < count else 1.0


def commonest_confusions(counts: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """(class, taken for, how often), the most frequent first."""
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off.ravel(), kind="stable")[:most]
    rows, columns = np.unravel_index(order, off.shape)
    return [(int(r), int(c), int(off[r, c])) for r, c in zip(rows, columns) if off[r, c]]


@dataclass(frozen=True)
class ConfidenceBin:
    """The predictions of about one confidence: how many, their mean confidence, how many of them are right."""

    count: int
    confidence: float
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.count


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> list[ConfidenceBin]:
    """Predictions sorted into ``bins`` equal intervals ``(low, high]`` of confidence; empty ones are left out.

    Args:
        confidence: ``[n]`` in [0, 1], the probability given to the predicted class.
        correct: bool ``[n]``.
    """
    place = np.clip(np.ceil(np.asarray(confidence, dtype=np.float64) * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=confidence, minlength=bins)
    right = np.bincount(place[np.asarray(correct, dtype=bool)], minlength=bins)
    return [
        ConfidenceBin(int(counts[i]), float(sums[i] / counts[i]), int(right[i])) for i in np.flatnonzero(counts)
    ]


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """The expected calibration error (Guo et al. 2017, equation 3): mean gap of confidence and accuracy over bins."""
    found = reliability(confidence, correct, bins)
    total = sum(each.count for each in found)
    return sum(abs(each.accuracy - each.confidence) * each.count for each in found) / max(total, 1)
