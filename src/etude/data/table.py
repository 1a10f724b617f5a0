"""What a table is once it has been read: numbers a network can take, what they stand for, what was noticed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from etude.core.text import Text


@dataclass(frozen=True)
class TableExamples:
    """The rows of one part (training, validation or test) of a table.

    Args:
        features: float32 ``[n, num_features]``, prepared: numbers standardised by the training part, categories
            one-hot, missing values filled in.
        targets: int64 ``[n]``, indices into the table's ``classes``; or float32 ``[n]``, in the target's own unit.
        rows: int64 ``[n]``: which data rows of the file these are (from 0).
    """

    features: np.ndarray
    targets: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class ColumnFacts:
    """What one column of the table holds, over all rows whose target is known.

    Args:
        name: what it is called.
        kind: number, category, date or text.
        role: target, feature, or left out.
        why: if left out, a key of `etude.data.table_look.REASONS`.
        missing: share of the rows without a value.
        least, most: the range of its numbers; None where it holds none.
        categories: of texts the most frequent ones, each with its number of rows.
        distinct: how many different values there are.
    """

    name: str
    kind: Literal["number", "category", "date", "text"]
    role: Literal["target", "feature", "left out"]
    why: str | None
    missing: float
    least: float | None
    most: float | None
    categories: tuple[tuple[str, int], ...]
    distinct: int


@dataclass(frozen=True)
class TableData:
    """A table split in three, ready to learn one of its columns from the others.

    Args:
        name: the name it was asked for by.
        kind: whether the target is one of some classes or a number.
        target: the name of the column to be learnt.
        features: the name of each prepared feature (``petal length``; a category's are ``colour=red``).
        classes: the name of each class; empty for regression.
        train, validation, test: the three parts. They share no row.
        target_mean, target_std: of the target of the training part; 0 and 1 for classification.
        fingerprint: SHA-256 over the content of every example and the split.
        split: how the parts were made: their sizes, the seed, the rule. JSON.
        findings: what was noticed while looking the table over.
        preparation: how a new row must be prepared: each column with its kind, fill-in value, mean, standard
            deviation, categories. JSON.
        source: where it came from; ``source["load"]`` gives the same again. JSON.
        columns: what each column of the table holds, the target and those left out among them.
    """

    name: str
    kind: Literal["classification", "regression"]
    target: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    train: TableExamples
    validation: TableExamples
    test: TableExamples
    target_mean: float
    target_std: float
    fingerprint: str
    split: dict[str, Any]
    findings: tuple[Text, ...] = ()
    preparation: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    columns: tuple[ColumnFacts, ...] = ()

    @property
    def num_classes(self) -> int:
        """The numbers a model must give for an example: logits, or one value."""
        return len(self.classes) or 1

    @property
    def input_shape(self) -> tuple[int]:
        """``(num_features,)``."""
        return (len(self.features),)
