"""Columns made into features: what is learnt of each column from the training part, and its use on any rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from etude.data.columns import Column

MOST_CATEGORIES = 50
"""Of one column that become a feature each; the rarer ones become one together."""

FARTHEST = 1e6
"""A standardised number is cut off here, in standard deviations: no single cell may overflow a network."""

OTHER, NO_VALUE = "(other)", "(missing)"

Spec = dict[str, Any]
"""How one column is prepared. JSON: of a number its fill-in value, mean, standard deviation; of categories, which."""


def fit_columns(columns: Sequence[Column], rows: np.ndarray) -> list[Spec]:
    """How each column is to be prepared, found from the training rows alone.

    Args:
        columns: numbers and categories.
        rows: int64: the rows of the training part.
    """
    return [
        _fit_number(each.name, each.values[rows])
        if each.kind == "number"
        else _fit_categories(each.name, each.values[rows], each.categories)
        for each in columns
    ]


def feature_names(specs: Sequence[Spec]) -> tuple[str, ...]:
    """The name of each feature, in order: ``age``, ``age=(missing)``, ``colour=red``, ``colour=(other)``."""
    return tuple(f"{spec['name']}={mark}" if mark else spec["name"] for spec in specs for mark in _marks(spec))


def prepare_columns(columns: Mapping[str, Column], specs: Sequence[Spec], count: int) -> np.ndarray:
    """float32 ``[count, num_features]``: the columns as their specs say.

    A number is standardised, where it is missing after the median was put in its place. A category that was not in
    the training part is ``(other)`` where there is such a feature, else none of those known.
    """
    features = np.zeros((count, sum(len(_marks(spec)) for spec in specs)), dtype=np.float32)
    place = 0
    for spec in specs:
        column, width = columns[spec["name"]], len(_marks(spec))
        block = features[:, place : place + width]
        if spec["kind"] == "number":
            missing = np.isnan(column.values)
            numbers = np.where(missing, spec["fill"], column.values)
            block[:, 0] = np.clip((numbers - spec["mean"]) / spec["std"], -FARTHEST, FARTHEST)
            if spec["missing"]:
                block[:, 1] = missing
        else:
            picked = _places(column, spec)[column.values]
            rows = np.flatnonzero(picked >= 0)
            block[rows, picked[rows]] = 1
        place += width
    return features


def _fit_number(name: str, values: np.ndarray) -> Spec:
    missing = np.isnan(values)
    present = values[~missing]
    fill = float(np.median(present)) if len(present) else 0.0
    filled = np.where(missing, fill, values)
    spread = float(filled.std())
    return {
        "name": name, "kind": "number", "fill": fill, "mean": float(filled.mean()), "missing": bool(missing.any()),
        # one value only, up to rounding: dividing by its spread would blow up the rounding
        "std": spread if spread > 1e-12 * float(np.abs(filled).max(initial=0)) else 1.0,
        "least": float(present.min()) if len(present) else fill, "most": float(present.max()) if len(present) else fill,
    }  # fmt: skip


def _fit_categories(name: str, codes: np.ndarray, categories: Sequence[str]) -> Spec:
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    order = [code for code in np.argsort(-counts, kind="stable") if counts[code]]
    kept = order if len(order) <= MOST_CATEGORIES else order[: MOST_CATEGORIES - 1]
    return {
        "name": name, "kind": "category", "categories": [categories[code] for code in kept],
        "other": len(order) - len(kept), "missing": bool((codes < 0).any()),
    }  # fmt: skip


def _marks(spec: Spec) -> list[str]:
    if spec["kind"] == "number":
        return ["", NO_VALUE] if spec["missing"] else [""]
    return [*spec["categories"], *[OTHER] * bool(spec["other"]), *[NO_VALUE] * bool(spec["missing"])]


def _places(column: Column, spec: Spec) -> np.ndarray:
    """For each category of a column, and at last for none, which feature of the spec it is; -1: none of them."""
    known = {name: place for place, name in enumerate(spec["categories"])}
    other = len(known) if spec["other"] else -1
    missing = len(known) + bool(spec["other"]) if spec["missing"] else -1
    return np.array([*(known.get(name, other) for name in column.categories), missing], dtype=np.int64)
