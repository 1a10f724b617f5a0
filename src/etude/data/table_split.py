"""The rows of a table divided in three parts, equal rows in one part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from etude.core.errors import EtudeError
from etude.core.seeds import derive_seed
from etude.data.columns import Column
from etude.data.split import stratified_split

TEST_SHARE = 0.2
"""Held out as the test part of a table that has none."""

VALIDATION_SHARE = 0.15
"""Held out of the rest for validation, unless asked otherwise."""

_FEW_NUMBERS = 20


def equal_rows(columns: Sequence[Column], targets: np.ndarray) -> np.ndarray:
    """int64 ``[n]``: for each row the first row that is equal to it in every column and the target.

    Rows are compared by a 64-bit hash of their values.
    """
    hashes = _hash(np.zeros(len(targets), dtype=np.uint64), targets.astype(np.float64))
    for column in columns:
        hashes = _hash(hashes, column.values)
    _, firsts, group = np.unique(hashes, return_index=True, return_inverse=True)
    return firsts[group.reshape(-1)]


def keep_together(firsts: np.ndarray, columns: Sequence[Column]) -> bool:
    """Whether equal rows are copies, which belong in one part; else there are so few possible rows that they recur.

    They recur where more than half of the rows do and no column has more than 20 different numbers.
    """
    if len(np.unique(firsts)) * 2 > len(firsts):
        return True
    return any(each.kind == "number" and len(np.unique(each.values)) > _FEW_NUMBERS for each in columns)


def split_rows(
    firsts: np.ndarray, classes: np.ndarray | None, name: str, seed: int, validation_size: int | float,
    test: np.ndarray | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Which rows each part gets: int64, sorted. Rows with the same first row go to one part.

    Args:
        firsts: from `equal_rows`.
        classes: int64 ``[n]``, whose shares are the same in every part; None: chance alone decides.
        name: of the table; with the seed it decides what chance does.
        seed: the split follows from it.
        validation_size: rows held out of the training part, or a fraction of it.
        test: the rows of a test part that the table came with.

    Raises:
        EtudeError: as many rows are to be held out as there are, or less than one.
    """
    rows = np.arange(len(firsts), dtype=np.int64)
    labels = np.zeros(len(firsts), dtype=np.int64) if classes is None else classes
    pool = np.setdiff1d(rows, test) if test is not None else rows
    units = np.unique(firsts[pool])
    if test is None:
        kept, held = stratified_split(labels[units], TEST_SHARE, derive_seed(seed, "test", name))
        test = rows[np.isin(firsts, units[held])]
        units = units[kept]
    else:
        firsts = _apart(firsts, pool)
        units = np.unique(firsts[pool])
    if validation_size >= len(units):
        raise EtudeError(
            en=f"validation_size is {validation_size:,}, but the training part of {name} has {len(units):,} different rows.",
            zh=f"validation_size 为 {validation_size:,}，但 {name} 的训练部分只有 {len(units):,} 个不同的行。",
        )
    kept, held = stratified_split(labels[units], validation_size, derive_seed(seed, "validation", name))
    if not len(held):
        raise EtudeError(
            en=f"validation_size is {validation_size}, less than one of the {len(units):,} rows of {name}; hold out more.",
            zh=f"validation_size 为 {validation_size}，在 {name} 的 {len(units):,} 行中不足一行；请增大。",
        )
    inside = np.isin(rows, pool)
    return {
        "train": rows[inside & np.isin(firsts, units[kept])],
        "validation": rows[inside & np.isin(firsts, units[held])],
        "test": np.sort(test),
    }


def _apart(firsts: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """First rows within the pool: an equal row outside of it does not count."""
    own = firsts.copy()
    _, places, group = np.unique(firsts[pool], return_index=True, return_inverse=True)
    own[pool] = pool[places[group.reshape(-1)]]
    return own


def _hash(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """splitmix64 (Steele et al. 2014) over what was hashed before and one more value."""
    numbers = np.asarray(values, dtype=np.float64) + 0.0  # -0.0 becomes 0.0
    bits = np.where(np.isnan(numbers), np.float64(np.nan), numbers).view(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (hashes * np.uint64(0x9E3779B97F4A7C15)) ^ bits
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31)) ^ np.uint64(0x632BE59BD9B4E019)
