"""Mean and deviation of very many pixels."""

from __future__ import annotations

import numpy as np
import pytest

from etude.data.kept import KeptPictures
from etude.data.sample_statistics import sample_statistics


def test_they_are_right_of_more_pixels_than_their_squares_fit_into_64_bits():
    side, copies = 1000, 70
    chance = np.random.default_rng(0)
    pixels = chance.choice(np.array([0, 255], dtype=np.uint8), side * side)
    sizes = np.full((copies, 2), side)
    images = KeptPictures(pixels, np.zeros(copies, dtype=np.int64), sizes, (1, side, side))
    mean, std = sample_statistics(images, np.arange(copies))
    values = pixels / 255
    assert mean == pytest.approx((values.mean(),), rel=1e-12)
    assert std == pytest.approx((values.std(),), rel=1e-12)
    assert (copies * side**2) ** 2 * values.var() * 255**2 > 2**64
