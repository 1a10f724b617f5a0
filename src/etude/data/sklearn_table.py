"""The small tables that come with scikit-learn, as tables of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from etude.data.columns import Column, number_column
from etude.data.entry import NamedColumn
from etude.data.load_table import RawTable


def sklearn_table(
    bunch: Any, columns: Sequence[NamedColumn], target: NamedColumn, classes: Sequence[str] = ()
) -> RawTable:
    """What a ``sklearn.datasets.load_…`` function returned, under names of the catalogue's own.

    Args:
        bunch: with ``data`` float ``[n, columns]`` and ``target`` ``[n]``.
        columns: what the columns of ``data`` are.
        target: what ``target`` is.
        classes: the names of the classes that ``target`` indexes; empty where it is a number.
    """
    features = [number_column(each.name, bunch.data[:, place]) for place, each in enumerate(columns)]
    if classes:
        learnt = Column(target.name, "category", bunch.target.astype(np.int32), tuple(classes))
    else:
        learnt = number_column(target.name, bunch.target)
    return RawTable((*features, learnt), target.name)
