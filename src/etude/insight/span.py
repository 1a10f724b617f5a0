"""What the units along one direction of a map see of the picture, and what an operation makes of that.

Two things are kept side by side: the three numbers of Araujo, Norris & Sim (2019), "Computing Receptive Fields of
Convolutional Neural Networks", which know no edges; and for every unit the pixels it sees of a picture that has edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Span:
    """The fields of the units along one direction, in pixels.

    Args:
        size: pixels that one unit sees.
        jump: pixels from one unit's field to the next one's; 0 where all see the same.
        start: the first pixel that unit 0 sees; negative where it sees padding.
        seen: ``[units, 2]``: for each unit the first pixel of the picture that it sees, and the one after the last.
    """

    size: float
    jump: float
    start: float
    seen: np.ndarray = field(compare=False, repr=False)

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.seen)

    def of(self, unit: int) -> tuple[int, int]:
        """First pixel and the one after the last that ``unit`` sees; equal where it sees nothing but padding."""
        first, last = self.seen[unit]
        return (int(first), int(last)) if first < last else (0, 0)


def pixels(count: int) -> Span:
    """The picture itself: each unit is a pixel."""
    return Span(1, 1, 0, np.stack([np.arange(count), np.arange(count) + 1.0], 1))


def window(span: Span, units: int, kernel: int, stride: int, padding: int, dilation: int) -> Span:
    """Of a convolution or a pooling that puts out ``units`` (Araujo et al. 2019, equations 2 and 3, and dilation)."""
    taps = np.arange(units)[:, None] * stride - padding + np.arange(kernel) * dilation
    size = span.size + (kernel - 1) * dilation * span.jump
    start = span.start - padding * span.jump
    return Span(size, span.jump * stride, start, _hulls(span, list(taps)))


def adaptive(span: Span, units: int) -> Span:
    """Of an adaptive pooling: unit i takes ⌊i·old/new⌋ up to ⌈(i+1)·old/new⌉. Windows may differ in width: size and start
    are those of the window that holds them all."""
    ratio = span.units / units
    firsts = [math.floor(i * ratio) for i in range(units)]
    lasts = [math.ceil((i + 1) * ratio) for i in range(units)]
    before = min(first - i * ratio for i, first in enumerate(firsts))
    kernel = max(last - i * ratio for i, last in enumerate(lasts)) - before
    seen = _hulls(span, [np.arange(first, last) for first, last in zip(firsts, lasts)])
    jump = span.jump * ratio if units > 1 else 0
    return Span(span.size + (kernel - 1) * span.jump, jump, span.start + before * span.jump, seen)


def cut(span: Span, units: int, start: int, step: int) -> Span:
    """Of a slice that keeps ``units``."""
    seen = span.seen[start::step][:units]
    return replace(span, jump=span.jump * step, start=span.start + start * span.jump, seen=seen)


def padded(span: Span, units: int, before: int) -> Span:
    """With units before (or, where negative, without) and after, ``units`` in all; what is new sees nothing."""
    places = [np.array([unit - before]) for unit in range(units)]
    return replace(span, start=span.start - before * span.jump, seen=_hulls(span, places))


def everything(span: Span) -> Span:
    """One unit that looks at all of them."""
    size = span.size + (span.units - 1) * span.jump
    return Span(size, 0, span.start, _hulls(span, [np.arange(span.units)]))


def meet(spans: Sequence[Span], units: int) -> Span:
    """Of an operation unit by unit on several; a span of one unit goes with every one of the others."""
    seen = np.empty((units, 2))
    seen[:, 0] = np.min([np.broadcast_to(span.seen[:, 0], units) for span in spans], 0)
    seen[:, 1] = np.max([np.broadcast_to(span.seen[:, 1], units) for span in spans], 0)
    jump = spans[0].jump
    if any(span.jump != jump for span in spans):  # units are not side by side: there is no one window any more
        spans, jump = [everything(span) for span in spans], 0
    start = min(span.start for span in spans)
    return Span(max(span.start + span.size for span in spans) - start, jump, start, seen)


def _hulls(span: Span, taken: Sequence[np.ndarray]) -> np.ndarray:
    """What each new unit sees that takes these of the old units; those that are not there are padding."""
    seen = np.empty((len(taken), 2))
    for unit, old in enumerate(taken):
        there = span.seen[old[(old >= 0) & (old < span.units)]]
        seen[unit] = there[:, 0].min(initial=np.inf), there[:, 1].max(initial=-np.inf)
    return seen
