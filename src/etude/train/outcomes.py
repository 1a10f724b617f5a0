"""Outputs of a network put beside what they should have been, as the report takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from etude.data.dataset import Examples
from etude.data.table import TableExamples
from etude.train.report.predictions import Predictions, RegressionPredictions


def as_predictions(
    task: dict[str, Any], outputs: np.ndarray, targets: np.ndarray, examples: Examples | TableExamples | None
) -> Predictions | RegressionPredictions:
    """What a network said of examples.

    Args:
        task: ``task`` of ``run.json``.
        outputs: probabilities float32 ``[n, num_classes]``; of a regression, predictions float32 ``[n]``.
        targets: int64 ``[n]``; of a regression, float32 ``[n]``.
        examples: those that were predicted; None: unknown, which a regression can do without.
    """
    rows = examples.rows if isinstance(examples, TableExamples) else None
    if task["kind"] == "regression":
        name = task.get("target") or "target"
        return RegressionPredictions(targets, outputs, name, rows, task.get("target_mean"))
    images, names = (examples.pixels(), examples.names) if isinstance(examples, Examples) else (None, ())
    return Predictions(targets, outputs, images, names, tuple(task["classes"]), rows)
