"""Contrasts: an effect, its 99 % interval over seeds (Student's t), and the margin the claim sets.

A seed is one repetition of the whole experiment. Several values of one seed under one condition are averaged first,
so that the interval is over seeds and over nothing else. An observation that is not finite makes the contrast unclear:
leaving it out would leave out the runs that went wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etude.core.text import Text
from etude.study.interval import Estimate, estimate, problem_of
from etude.study.rows import Row, Rows
from etude.study.verdict import Contrast, Verdict, judge
from etude.study.wording import Look, sentence

_Samples = list[float]


@dataclass(frozen=True)
class _Asked:
    """What one contrast is about, before anything is computed."""

    kind: Any
    value: str
    by: str | None
    groups: tuple[Any, ...]
    where: dict[str, Any]
    region: tuple[float, float]
    look: Look
    log_x: bool = False
    log_y: bool = False


def paired_difference(
    rows: list[Row], value: str, *, by: str, greater: Any, lesser: Any, margin: float, what: Text,
    where: dict[str, Any] | None = None, unit: str | Text = "", scale: float = 1.0,
) -> Verdict:  # fmt: skip
    """Claim: within a seed, ``value`` under condition ``greater`` exceeds that under ``lesser`` by more than ``margin``.

    Args:
        rows: the study's rows, each with ``seed``, the column ``by`` and the column ``value``.
        what: the difference in words, such as "test accuracy with dropout minus without".
        where: only rows with these values.
        unit, scale: the sentence shows ``scale`` times the number, then the unit (accuracy: 100 and "points").
    """
    asked = _Asked(
        "difference", value, by, (greater, lesser), where or {}, (margin, math.inf), Look(what, unit, scale)
    )
    return _paired(rows, asked, lambda a, b: a - b)


def unpaired_difference(
    rows: list[Row], value: str, *, by: str, greater: Any, lesser: Any, margin: float, what: Text,
    where: dict[str, Any] | None = None, unit: str | Text = "", scale: float = 1.0,
) -> Verdict:  # fmt: skip
    """As `paired_difference`, for conditions that have nothing but their seeds' numbers in common (Welch 1947)."""
    asked = _Asked(
        "difference", value, by, (greater, lesser), where or {}, (margin, math.inf), Look(what, unit, scale)
    )
    return _unpaired(rows, asked, lambda x: x)


def paired_ratio(
    rows: list[Row], value: str, *, by: str, greater: Any, lesser: Any, margin: float, what: Text,
    where: dict[str, Any] | None = None,
) -> Verdict:  # fmt: skip
    """Claim: within a seed, ``value`` under ``greater`` is more than ``margin`` times that under ``lesser``.

    The interval is that of the logarithm's mean; the values must be positive.
    """
    asked = _Asked("ratio", value, by, (greater, lesser), where or {}, (margin, math.inf), Look(what))
    return _paired(rows, asked, lambda a, b: _log(a) - _log(b))


def unpaired_ratio(
    rows: list[Row], value: str, *, by: str, greater: Any, lesser: Any, margin: float, what: Text,
    where: dict[str, Any] | None = None,
) -> Verdict:  # fmt: skip
    """As `paired_ratio`, for conditions that are not paired by seed."""
    asked = _Asked("ratio", value, by, (greater, lesser), where or {}, (margin, math.inf), Look(what))
    return _unpaired(rows, asked, _log)


def equivalence(
    rows: list[Row], value: str, *, by: str, first: Any, second: Any, within: float, what: Text, ratio: bool = False,
    where: dict[str, Any] | None = None, unit: str | Text = "", scale: float = 1.0,
) -> Verdict:  # fmt: skip
    """Claim: within a seed, ``value`` differs between two conditions by less than ``within`` (two one-sided tests).

    With ``ratio``: each is less than ``within`` times the other. Schuirmann 1987: the interval lies between the margins.
    """
    groups, look = (first, second), Look(what, unit, scale)
    if ratio:
        asked = _Asked("ratio", value, by, groups, where or {}, (1 / within, within), look)
        return _paired(rows, asked, lambda a, b: _log(a) - _log(b))
    asked = _Asked("difference", value, by, groups, where or {}, (-within, within), look)
    return _paired(rows, asked, lambda a, b: a - b)


def trend(
    rows: list[Row], value: str, *, by: str, margin: float, what: Text, falling: bool = False, log_x: bool = False,
    log_y: bool = False, where: dict[str, Any] | None = None, unit: str | Text = "", scale: float = 1.0,
) -> Verdict:  # fmt: skip
    """Claim: ``value`` rises with the numbers in ``by`` by more than ``margin`` a unit (``falling``: falls).

    The slope is that of least squares within each seed; with logarithms (base 10) it is a power or a rate.
    """
    region = (-math.inf, -margin) if falling else (margin, math.inf)
    asked = _Asked("slope", value, by, (), where or {}, region, Look(what, unit, scale), log_x, log_y)

    def slope(points: list[tuple[float, float]]) -> float:
        x = [_log10(a) if log_x else a for a, _ in points]
        y = [_log10(b) if log_y else b for _, b in points]
        return _least_squares_slope(x, y)

    return _sloped(rows, asked, slope)


def level(
    rows: list[Row], value: str, *, above: float | None = None, below: float | None = None, what: Text,
    ratio: bool = False, where: dict[str, Any] | None = None, unit: str | Text = "", scale: float = 1.0,
) -> Verdict:  # fmt: skip
    """Claim: the mean of ``value`` over seeds is above, below, or (with both) between these numbers.

    With ``ratio`` the geometric mean is meant, as suits counts and sizes that vary by factors.
    """
    region = (-math.inf if above is None else above, math.inf if below is None else below)
    asked = _Asked("level", value, None, (), where or {}, region, Look(what, unit, scale, ratio))
    samples = _by_seed(rows, asked, None)
    change = _log if ratio else float
    found = estimate([change(_mean(values)) for values in samples.values()])
    return _verdict(asked, found, len(samples), None, logarithmic=ratio)


def _paired(rows: list[Row], asked: _Asked, effect: Callable[[float, float], float]) -> Verdict:
    one, other = (_by_seed(rows, asked, group) for group in asked.groups)
    seeds = [seed for seed in one if seed in other]
    missing = [group for group, found in zip(asked.groups, (one, other)) if not found]
    found = estimate([effect(_mean(one[seed]), _mean(other[seed])) for seed in seeds])
    return _verdict(asked, found, len(seeds), missing, logarithmic=asked.kind == "ratio")


def _unpaired(rows: list[Row], asked: _Asked, change: Callable[[float], float]) -> Verdict:
    one, other = (_by_seed(rows, asked, group) for group in asked.groups)
    missing = [group for group, found in zip(asked.groups, (one, other)) if not found]
    samples = [[change(_mean(values)) for values in found.values()] for found in (one, other)]
    found = estimate(samples[0], samples[1])
    return _verdict(asked, found, min(map(len, samples)), missing, logarithmic=asked.kind == "ratio")


def _sloped(rows: list[Row], asked: _Asked, slope: Callable[[list[tuple[float, float]]], float]) -> Verdict:
    by = str(asked.by)
    points: dict[Any, list[tuple[float, float]]] = {}
    for row in Rows(rows).where(**asked.where):
        if by in row and asked.value in row:
            points.setdefault(row.get("seed"), []).append((float(row[by]), float(row[asked.value])))
    there = {seed: found for seed, found in points.items() if len({x for x, _ in found}) >= 2}
    missing = [by] if points and not there else []
    return _verdict(asked, estimate([slope(found) for found in there.values()]), len(there), missing)


def _verdict(
    asked: _Asked, found: Estimate, seeds: int, missing: list[Any] | None, logarithmic: bool = False
) -> Verdict:
    change, back = (_log, _exp) if logarithmic else (float, float)
    low, high = (change(edge) if math.isfinite(edge) else edge for edge in asked.region)
    mean, bottom, top = (back(number) for number in (found.mean, found.low, found.high))
    problem = problem_of(found, seeds, missing or [], asked.by)
    p_holds, p_fails = found.p_inside(low, high) if problem is None else (1.0, 1.0)
    contrast = Contrast(
        kind=asked.kind, value=asked.value, by=asked.by, groups=asked.groups, where=asked.where,
        estimate=mean, low=bottom, high=top, at_least=asked.region[0], at_most=asked.region[1],
        seeds=seeds, p_holds=p_holds, p_fails=p_fails, problem=problem,
        log_x=asked.log_x, log_y=asked.log_y or logarithmic,
        sentence=sentence(asked.kind, asked.look, mean, bottom, top, *asked.region, seeds=seeds, problem=problem),
    )  # fmt: skip
    return judge([contrast])


def _by_seed(rows: list[Row], asked: _Asked, group: Any) -> dict[Any, _Samples]:
    where = asked.where if asked.by is None else {**asked.where, asked.by: group}
    found: dict[Any, _Samples] = {}
    for row in Rows(rows).where(**where):
        if asked.value in row:
            found.setdefault(row.get("seed"), []).append(float(row[asked.value]))
    return found


def _mean(values: _Samples) -> float:
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan


def _least_squares_slope(x: list[float], y: list[float]) -> float:
    if not all(map(math.isfinite, [*x, *y])):
        return math.nan
    centre = math.fsum(x) / len(x)
    spread = math.fsum((a - centre) ** 2 for a in x)
    return math.fsum((a - centre) * b for a, b in zip(x, y)) / spread


def _log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan  # a comparison with NaN is false


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
