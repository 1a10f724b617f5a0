"""The sentence of a contrast: what was measured, its interval, and what the claim asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from etude.core.text import Text, same


@dataclass(frozen=True)
class Look:
    """How a contrast's numbers are written: the quantity in words, its unit, a factor; whether it is a factor itself."""

    what: Text
    unit: str | Text = ""
    scale: float = 1.0
    logarithmic: bool = False


def sentence(
    kind: str, look: Look, mean: float, low: float, high: float, at_least: float, at_most: float, seeds: int,
    problem: Text | None,
) -> Text:  # fmt: skip
    """A clause in each language, with the numbers in it; `etude.study.verdict` makes sentences of them."""
    unit = look.unit if isinstance(look.unit, Text) else same(look.unit)
    what = look.what
    sign = "+" if kind == "difference" else ""
    before = "×" if kind == "ratio" else ""

    def number(value: float) -> str:
        if not math.isfinite(value):
            return "–"
        shown = f"{value * look.scale:{sign}.3g}"
        return before + (f"{value * look.scale:{sign},.0f}" if 1000 <= abs(value * look.scale) < 1e6 else shown)

    space = " " if unit.en and unit.en != "%" else ""
    gap = " " if unit.zh and unit.zh != "%" else ""
    if problem is not None:
        got = "" if math.isnan(mean) else f" {number(mean)}{space}{unit.en},"
        got_zh = "" if math.isnan(mean) else f"{number(mean)}{gap}{unit.zh}，"
        return Text(en=f"{what.en}:{got} {problem.en}", zh=f"{what.zh}：{got_zh}{problem.zh}")
    asks = _asks(at_least, at_most, lambda edge: number(edge).removeprefix("+"))
    return Text(
        en=f"{what.en}: {number(mean)}{space}{unit.en} (99% interval {number(low)} to {number(high)} over {seeds} seeds; "
        f"claimed: {asks.en})",
        zh=f"{what.zh}：{number(mean)}{gap}{unit.zh}（{seeds} 个种子的 99% 区间：{number(low)} 至 {number(high)}；"
        f"论断：{asks.zh}）",
    )


def _asks(at_least: float, at_most: float, number: Callable[[float], str]) -> Text:
    low, high = number(at_least), number(at_most)
    if at_most == math.inf:
        return Text(en=f"more than {low}", zh=f"大于 {low}")
    if at_least == -math.inf:
        return Text(en=f"less than {high}", zh=f"小于 {high}")
    return Text(en=f"between {low} and {high}", zh=f"介于 {low} 与 {high} 之间")
