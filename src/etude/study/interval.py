"""A mean with its 99 % interval, and how surely it lies inside a region. On scipy's Student t."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from etude.core.text import Text
from etude.study.verdict import CONFIDENCE


@dataclass(frozen=True)
class Estimate:
    """A mean (or a difference of means) with its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float
    low: float
    high: float
    count: int
    broken: int  # values that are not finite

    def p_inside(self, at_least: float, at_most: float) -> tuple[float, float]:
        """One-sided p-values against "it does not lie between", and against "it does not lie beyond"."""
        below, above = self._p_greater(at_least), self._p_less(at_most)  # against: not above / not below
        beyond = min(self._p_less(at_least), self._p_greater(at_most))
        return max(below, above), beyond

    def _p_greater(self, edge: float) -> float:
        """Against the hypothesis that the mean is at most ``edge``."""
        if edge == -math.inf:
            return 0.0
        if edge == math.inf:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean > edge else 1.0
        from scipy import stats

        return float(stats.t.sf((self.mean - edge) / self.error, self.freedom))

    def _p_less(self, edge: float) -> float:
        if edge == math.inf:
            return 0.0
        if edge == -math.inf:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean < edge else 1.0
        from scipy import stats

        return float(stats.t.cdf((self.mean - edge) / self.error, self.freedom))


def estimate(values: list[float], others: list[float] | None = None) -> Estimate:
    """The mean of ``values`` (minus that of ``others``: Welch 1947) with its interval; NaN where there is none."""
    both = values + (others or [])
    broken = sum(not math.isfinite(value) for value in both)
    few = min(len(values), len(others) if others is not None else len(values))
    if broken or few == 0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, math.nan, few, broken)
    parts = [_moments(values)] + ([_moments(others)] if others is not None else [])
    mean = parts[0][0] - (parts[1][0] if others is not None else 0.0)
    if few < 2:
        return Estimate(mean, math.nan, math.nan, math.nan, math.nan, few, 0)
    squares = [part[1] for part in parts]
    error = math.sqrt(sum(squares))
    if error == 0:
        return Estimate(mean, 0.0, float(few - 1), mean, mean, few, 0)
    freedom = sum(squares) ** 2 / sum(s**2 / (part[2] - 1) for s, part in zip(squares, parts) if s)
    from scipy import stats

    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Estimate(mean, error, freedom, mean - reach, mean + reach, few, 0)


def problem_of(found: Estimate, seeds: int, missing: list[Any], by: str | None) -> Text | None:
    """Why no interval can be given, or None."""
    if missing:
        named = ", ".join(f"{by} = {group}" if group != by else str(by) for group in missing)
        return Text(en=f"nothing was measured for {named}", zh=f"没有 {named} 的测量值")
    if found.broken:
        return Text(
            en=f"{found.broken} of the values are not finite numbers", zh=f"有 {found.broken} 个值不是有限的数"
        )
    if seeds < 2:
        return Text(
            en="an interval needs at least two seeds" if seeds else "nothing was measured",
            zh="至少要有两个种子才能给出区间" if seeds else "没有测量值",
        )
    return None


def _moments(values: list[float]) -> tuple[float, float, int]:
    """Mean, squared standard error of the mean, count."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan, len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    # values that are equal but for the rounding of their mean have no spread
    return mean, 0.0 if len(set(values)) == 1 else variance / len(values), len(values)
