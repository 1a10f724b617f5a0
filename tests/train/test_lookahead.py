"""Lookahead and the triangular schedule, against the formulas written out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from etude.train.lookahead import Lookahead
from etude.train.triangular import triangular


def test_slow_weights_follow_every_fifth_step_and_are_taken_back():
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    average = Lookahead({"model": layer}, total_steps=20)
    slow = fast = 0.0
    for step in range(1, 21):
        with torch.no_grad():
            layer.weight += 1.0
        fast += 1.0
        average.update(step)
        if step % 5 == 0:
            decay = 0.95**5 * (step / 20) ** 3
            slow = fast = decay * slow + (1 - decay) * fast
        assert layer.weight.item() == pytest.approx(fast)
        assert average.tensors["model/weight"].item() == pytest.approx(slow)
    assert 0 < slow < 20


def test_running_statistics_are_treated_as_weights_and_counts_left_alone():
    norm = nn.BatchNorm1d(2)
    average = Lookahead({"model": norm}, total_steps=5)
    norm.running_mean.fill_(1.0)
    norm.num_batches_tracked.fill_(5)
    average.update(5)
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 1 - 0.95**5))
    assert norm.num_batches_tracked == 5


def test_triangle_has_its_corners_where_they_were_published():
    rates = [triangular(step, 100, 2.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[23] == pytest.approx(2.0)
    assert rates[100] == pytest.approx(0.14)
    rise = {round(b - a, 9) for a, b in pairwise(rates[:24])}
    fall = {round(b - a, 9) for a, b in pairwise(rates[23:])}
    assert len(rise) == len(fall) == 1
    assert rise.pop() > 0 > fall.pop()


@pytest.mark.parametrize("total", [1, 2, 3, 5])
def test_triangle_of_few_steps_is_finite_and_positive(total):
    assert all(0 < triangular(step, total, 1.0) <= 1 for step in range(total))
