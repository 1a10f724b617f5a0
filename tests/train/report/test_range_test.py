"""The figure of a range test, looked into."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from etude.core.plotting import chinese_font, drawing, png
from etude.train.range_test import RangeTest, find_bounds, smoothed
from etude.train.report.range_test import range_test


def made(last: float) -> RangeTest:
    rates = np.geomspace(1e-6, 10, 100)
    place = np.log10(rates)
    losses = np.where(place > -0.5, 0.8 + last * (place + 0.5), 2.3 - 1.5 / (1 + np.exp(-5 * (place + 2))))
    smooth = smoothed(losses)
    steepest, limit = find_bounds(rates, smooth)
    return RangeTest(tuple(rates), tuple(losses), tuple(smooth), steepest, limit, 0.03)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("last", [0.1, 50.0])
def test_the_suggestion_is_drawn_on_the_curve(lang, last):
    test = made(last)
    with drawing(lang), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = range_test(test, lang)
        assert png(figure, 60).startswith(b"\x89PNG")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    dot = next(line for line in axes.lines if line.get_marker() == "o")
    (x,), (y,) = dot.get_data()
    assert x == 0.03
    assert y == pytest.approx(np.interp(np.log(0.03), np.log(test.learning_rates), test.smoothed))
    low, high = axes.get_ylim()
    assert low < min(test.smoothed) < test.smoothed[0] < high
    assert "0.03" in axes.get_title(loc="left")
    shown = " ".join(text.get_text() for text in axes.texts)
    chinese = lang == "zh" and chinese_font()
    assert ("学得快" if chinese else "learns fast") in shown
    assert (("太大" if chinese else "too large") in shown) == (last > 1)
