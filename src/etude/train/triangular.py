"""A learning rate that rises in a straight line and falls in another, for runs of a few epochs."""

from __future__ import annotations

START, PEAK_AT, END = 0.2, 0.23, 0.07  # Jordan 2024, arXiv:2404.00498, as published with its code


def triangular(step: int, total_steps: int, peak: float) -> float:
    """The learning rate of update number ``step`` (from 0): from a fifth of ``peak`` up to it, and down to 7 % of it.

    The top comes after 23 % of the run (Jordan 2024; the shape is Smith 2017's, once).
    """
    top = int(PEAK_AT * total_steps)
    if step < top:
        return peak * (START + (1 - START) * step / top)
    return peak * (1 - (1 - END) * (step - top) / max(total_steps - top, 1))
