"""Effective receptive fields against stacks of box filters, whose gradient is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import nn

from etude.insight.effective_field import effective_fields, effective_size
from etude.models.catalog import build_model


def box_filters(depth: int) -> nn.Sequential:
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(depth)))
    for layer in net:
        nn.init.constant_(layer.weight, 1 / 9)
    return net


@pytest.mark.parametrize("depth", [1, 2, 6])
def test_the_gradient_of_box_filters_is_their_convolution(depth):
    net = box_filters(depth)
    found = effective_fields(net, [str(depth - 1)], torch.randn(3, 1, 21, 21))[str(depth - 1)]
    expected = np.ones((1, 1))
    for _ in range(depth):
        expected = convolve2d(expected, np.full((3, 3), 1 / 9))
    whole = np.zeros((21, 21))
    whole[10 - depth : 11 + depth, 10 - depth : 11 + depth] = expected / expected.max()
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_it_grows_like_the_root_of_the_depth_where_the_theory_grows_like_the_depth():
    """Luo et al. 2016, section 2: a Gaussian of variance 2/3 a layer; the area above 4.55 % of the top has a radius of
    √(2 · ln 22) deviations."""
    net = box_filters(24)
    field = effective_fields(net, ["23"], torch.randn(1, 1, 65, 65))["23"]
    radius = np.sqrt(2 * np.log(1 / 0.0455)) * np.sqrt(24 * 2 / 3)
    assert effective_size(field) == pytest.approx(np.sqrt(np.pi) * radius, rel=0.05)
    assert effective_size(field) < 0.8 * 49


def test_the_size_of_an_even_square_is_its_side():
    field = np.zeros((20, 20))
    field[3:10, 5:12] = 0.3
    assert effective_size(field) == 7


def test_gradients_are_taken_at_the_inputs_given_and_leave_no_trace():
    """A dead ReLU passes nothing: what is seen depends on the pictures."""
    net = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 1)).train()
    nn.init.constant_(net[0].weight, 1.0)
    bright = effective_fields(net, ["2"], torch.ones(1, 1, 9, 9))["2"]
    dark = effective_fields(net, ["2"], -5 * torch.ones(1, 1, 9, 9))["2"]
    assert bright.sum() == pytest.approx(9)
    assert dark.sum() == 0
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_nothing_outside_the_theoretical_field_has_a_gradient():
    torch.manual_seed(0)
    from etude.insight.receptive_field import receptive_fields

    model = build_model("resnet20")
    fields = {field.layer: field for field in receptive_fields(model, (3, 32, 32))}
    found = effective_fields(model, ["conv1", "stage1.1"], torch.randn(2, 3, 32, 32))
    for layer, seen in found.items():
        top, left, bottom, right = fields[layer].box(fields[layer].centre)
        assert seen[top:bottom, left:right].max() == 1
        seen[top:bottom, left:right] = 0
        assert seen.max() == 0
