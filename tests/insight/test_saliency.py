"""Saliency against linear models, where both kinds have a closed form, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from etude.core.errors import EtudeError
from etude.insight.saliency import gradient_saliency, occlusion
from etude.models.catalog import build_model


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 5, 4)).double()


@pytest.mark.parametrize("samples", [1, 5])
def test_the_gradient_of_a_linear_model_is_its_weight(linear, samples):
    """With noise or without."""
    found = gradient_saliency(linear, torch.rand(1, 3, 6, 5, dtype=torch.float64), 2, samples=samples)
    weight = linear[1].weight[2].detach().numpy().reshape(3, 6, 5)
    np.testing.assert_allclose(found, np.abs(weight).max(0), rtol=1e-12)


def test_the_gradient_of_a_deep_model_is_that_of_finite_differences():
    torch.manual_seed(1)
    model = build_model("lenet5-1998", (1, 16, 16), 3).double().eval()
    picture = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    found = gradient_saliency(model, picture, 1)
    step = 1e-6
    for row, column in ((0, 0), (7, 9), (15, 3)):
        nudge = torch.zeros_like(picture)
        nudge[0, 0, row, column] = step
        with torch.no_grad():
            slope = (model(picture + nudge)[0, 1] - model(picture - nudge)[0, 1]) / (2 * step)
        assert found[row, column] == pytest.approx(abs(float(slope)), rel=1e-5, abs=1e-9)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_smoothgrad_averages_over_the_neighbourhood():
    """y = relu(x − 1) at x = 1: the gradient is 0 or 1 with even chance, so half of it is left on average."""

    def kink(x):
        return torch.relu(x.flatten(1) - 1) @ torch.eye(2, dtype=x.dtype)

    picture = torch.tensor([[[[1.0, -1.0]]]], dtype=torch.float64)
    found = gradient_saliency(kink, picture, 0, samples=4000, noise=0.05)
    assert found[0, 0] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))
    assert found[0, 1] == 0


def test_occlusion_of_a_linear_model_in_closed_form(linear):
    picture = torch.rand(1, 3, 6, 5, dtype=torch.float64)
    found = occlusion(linear, picture, 1, patch=3, stride=2, fill=0.25, batch_size=4)
    weight, bias = (p.detach().numpy() for p in linear[1].parameters())
    pixels = picture[0].numpy()
    logits = weight @ pixels.ravel() + bias
    whole = softmax(logits)[1]
    assert (found.tops, found.lefts) == ((0, 2, 3), (0, 2))  # the last patches end at the edge
    falls = [[[] for _ in range(5)] for _ in range(6)]
    for i, top in enumerate(found.tops):
        for j, left in enumerate(found.lefts):
            change = np.zeros_like(pixels)
            place = np.s_[:, top : top + 3, left : left + 3]
            change[place] = 0.25 - pixels[place]
            left_over = softmax(logits + weight @ change.ravel())[1]
            assert found.hidden[i, j] == pytest.approx(left_over, rel=1e-5)
            for row in range(top, top + 3):
                for column in range(left, left + 3):
                    falls[row][column].append(whole - left_over)
    assert found.probability == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(found.drop, [[np.mean(each) for each in row] for row in falls], atol=1e-6)
    top, left, least = found.worst
    assert least == found.hidden.min()
    assert found.hidden[found.tops.index(top), found.lefts.index(left)] == least


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 31), (28, 28), (33, 64)])
def test_the_patches_chosen_hide_every_pixel(height, width):
    net = nn.Sequential(nn.Flatten(), nn.Linear(height * width, 2))
    found = occlusion(net, torch.rand(1, 1, height, width), 0)
    assert np.isfinite(found.drop).all()


def test_what_hangs_on_one_corner_is_found_there():
    def corner(x):
        bright = x[:, 0, :3, -3:].mean((1, 2))
        return torch.stack([10 * bright, torch.full_like(bright, 2.0)], 1)

    picture = torch.ones(1, 1, 12, 12)
    found = occlusion(corner, picture, 0, patch=3, stride=1)
    assert found.worst[:2] == (0, 9)
    assert found.drop[0, 11] == found.drop.max() > 0.8
    assert (found.drop[6:, :6] == 0).all()
    assert (gradient_saliency(corner, picture, 0) > 0).sum() == 9


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (7, 1), (3, 0), (2, 3)])
def test_a_patch_that_does_not_fit_is_refused(linear, patch, stride):
    with pytest.raises(EtudeError, match="patch must be from 1 to 5"):
        occlusion(linear, torch.rand(1, 3, 6, 5, dtype=torch.float64), 0, patch=patch, stride=stride)


def test_several_pictures_at_once_are_refused(linear):
    with pytest.raises(EtudeError, match="one picture"):
        gradient_saliency(linear, torch.rand(2, 3, 6, 5), 0)
