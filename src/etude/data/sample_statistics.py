"""Mean and standard deviation of some pictures, large ones too: by counting their grey levels."""

from __future__ import annotations

from typing import Any

import numpy as np

_AT_ONCE = 16  # pictures; more would leave the processor's cache


def sample_statistics(images: Any, rows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What `etude.data.catalog.channel_statistics` computes, exact too, several times as fast for large pictures.

    Args:
        images: uint8 ``[n, channels, height, width]``, or what can be indexed like it.
        rows: which of them; at least one.

    Returns:
        mean and standard deviation of each channel, on the scale where 255 is 1; a channel without variation gets the
        deviation 1.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for start in range(0, len(rows), _AT_ONCE):
        some = images[rows[start : start + _AT_ONCE]]
        for channel, count in enumerate(counts):
            count += np.bincount(some[:, channel].ravel(), minlength=256)
    levels, total = np.arange(256), counts.sum(1)
    sums, squares = counts @ levels, counts @ levels**2
    means = tuple(float(each) for each in sums / total / 255)
    deviations = (
        np.sqrt(int(count) * int(square) - int(each) ** 2) / int(count) / 255
        for count, each, square in zip(total, sums, squares)
    )
    return means, tuple(float(each) or 1.0 for each in deviations)
