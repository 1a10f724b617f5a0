"""Numbers about predicted numbers: errors, explained variance, and how sure those are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from etude.train.report.predictions import RegressionPredictions

_RESAMPLES = 2000
_MOST_DRAWS = 20_000_000  # of all resamples together: about a second


@dataclass(frozen=True)
class RegressionSummary:
    """How good predictions are; errors in the target's own unit.

    Args:
        rmse, mae: root mean squared and mean absolute error.
        r2: 1 - SSE / SST, the share of the variance of these targets that is explained; None where all are equal.
        rmse_interval, r2_interval: 95 % intervals over the choice of test examples; None for fewer than three, or where
            they were not asked for.
        baseline_rmse: of always saying the mean of the training targets; None where that is not known.
    """

    rmse: float
    mae: float
    r2: float | None
    rmse_interval: tuple[float, float] | None
    r2_interval: tuple[float, float] | None
    baseline_rmse: float | None


def summarise(predictions: RegressionPredictions, seed: int = 0, intervals: bool = True) -> RegressionSummary:
    """RMSE, MAE and R² with intervals by the bootstrap, and the RMSE of knowing nothing.

    Raises:
        ValueError: there is no example.
    """
    if not len(predictions):
        raise ValueError("no example")
    targets, residuals = predictions.targets.astype(np.float64), predictions.residuals
    same = bool((targets == targets[0]).all())
    spread = np.square(targets - targets.mean()).sum()
    mean = predictions.train_mean
    rmse_interval, r2_interval = bootstrap_intervals(targets, residuals, seed) if intervals else (None, None)
    return RegressionSummary(
        rmse=math.sqrt(np.square(residuals).mean()),
        mae=float(np.abs(residuals).mean()),
        r2=None if same else float(1 - np.square(residuals).sum() / spread),
        rmse_interval=rmse_interval,
        r2_interval=None if same else r2_interval,
        baseline_rmse=None if mean is None else math.sqrt(np.square(targets - mean).mean()),
    )


def bootstrap_intervals(
    targets: np.ndarray, residuals: np.ndarray, seed: int = 0, level: float = 0.95
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Intervals of RMSE and R² by the percentile bootstrap over examples (Efron & Tibshirani 1993, chapter 13).

    Args:
        targets, residuals: float64 ``[n]``.

    Returns:
        that of RMSE and that of R²; None for fewer than three examples, or where resampled targets do not differ.
    """
    count = len(targets)
    if count < 3:
        return None, None
    chance = np.random.default_rng(seed)
    centred = targets - targets.mean()  # far from zero, squares of large numbers would cancel badly
    columns = np.stack([np.square(residuals), centred, np.square(centred)])
    means = np.empty((max(200, min(_RESAMPLES, _MOST_DRAWS // count)), 3))
    for each in means:
        each[:] = columns[:, chance.integers(0, count, count)].mean(axis=1)
    error, variance = means[:, 0], means[:, 2] - np.square(means[:, 1])
    differ = variance > 1e-12 * max(columns[2].mean(), 1e-300)
    ends = [50 * (1 - level), 50 * (1 + level)]
    low, high = np.percentile(np.sqrt(error), ends)
    if not differ.any():
        return (float(low), float(high)), None
    r2_low, r2_high = np.percentile(1 - error[differ] / variance[differ], ends)
    return (float(low), float(high)), (float(r2_low), float(r2_high))
