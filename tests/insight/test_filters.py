"""Filters against weights laid down by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.filters import find_filters
from etude.models.catalog import build_model


def test_weights_on_pixels_lie_as_the_picture_does():
    """A unit whose weights are the picture itself answers with the picture's squared norm, and looks like it."""
    model, picture = build_model("mlp", (3, 5, 7), 2, widths=(4,)), torch.rand(1, 3, 5, 7)
    first = model.hidden[0]
    with torch.no_grad():
        first.weight[2] = picture.flatten()
        first.bias.zero_()
        answer = first(model.flatten(picture))[0, 2]
    filters = find_filters(model, (3, 5, 7))
    assert filters.fully_connected
    assert not filters.says_classes
    assert float(answer) == pytest.approx(float(picture.square().sum()), rel=1e-5)
    np.testing.assert_array_equal(filters.weights[2], picture[0].numpy())


def test_kernels_come_with_what_they_make_of_the_picture():
    torch.manual_seed(0)
    model, picture = build_model("lenet5"), torch.rand(1, 1, 28, 28)
    filters = find_filters(model, (1, 28, 28), None, picture)
    assert filters.layer == "conv1"
    np.testing.assert_array_equal(filters.weights, model.conv1.weight.detach().numpy())
    expected = F.conv2d(picture, model.conv1.weight, model.conv1.bias, padding=2)[0].detach().numpy()
    np.testing.assert_allclose(filters.responses, expected, rtol=1e-5, atol=1e-6)
    assert find_filters(model, (1, 28, 28), "conv2").weights.shape == (16, 6, 5, 5)


def test_the_units_of_softmax_regression_are_the_classes():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    filters = find_filters(net, (1, 8, 8))
    assert filters.says_classes
    assert filters.weights.shape == (10, 1, 8, 8)


def test_a_later_layer_with_as_many_inputs_as_pixels_is_not_taken_for_one_on_the_pixels():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
    assert find_filters(net, (1, 4, 4)).layer == "1"
    with pytest.raises(EtudeError, match="3 is a Linear"):
        find_filters(net, (1, 4, 4), "3")


def test_layers_whose_weights_are_no_pictures_are_refused_with_those_that_are():
    with pytest.raises(
        EtudeError, match="fc1 is a Linear, whose weights are no pictures; choose one of: conv1, conv2"
    ):
        find_filters(build_model("lenet5"), (1, 28, 28), "fc1")
    with pytest.raises(EtudeError, match="did you mean conv"):
        find_filters(build_model("lenet5"), (1, 28, 28), "conv3")
