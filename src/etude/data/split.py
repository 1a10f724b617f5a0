"""Parts of a data set that share no example and hold the classes in the same shares."""

from __future__ import annotations

import numpy as np


def stratified_split(labels: np.ndarray, held_out: int | float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold some examples out, the same share of every class.

    Args:
        labels: int ``[n]``.
        held_out: how many examples, or which fraction of them if less than 1. A class of one example stays whole.
        seed: chance follows from it.

    Returns:
        the indices kept and the indices held out: int64, sorted.
    """
    count = round(held_out * len(labels)) if held_out < 1 else int(held_out)
    classes, sizes = np.unique(labels, return_counts=True)
    quotas = _shares(sizes, min(count, len(labels)))
    chance = np.random.default_rng(seed)
    taken = [
        chance.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in zip(classes, quotas)
    ]
    held = np.sort(np.concatenate(taken)).astype(np.int64) if taken else np.zeros(0, dtype=np.int64)
    kept = np.setdiff1d(np.arange(len(labels), dtype=np.int64), held, assume_unique=True)
    return kept, held


def _shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """How many of each class make ``count`` in all: rounded down, the largest remainders filled up."""
    exact = sizes * (count / max(sizes.sum(), 1))
    quotas = np.floor(exact).astype(np.int64)
    for place in np.argsort(-(exact - quotas), kind="stable")[: count - quotas.sum()]:
        quotas[place] += 1
    return np.minimum(quotas, sizes - 1)  # somebody of every class stays to learn from
