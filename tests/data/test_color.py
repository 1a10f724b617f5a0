"""Colour jitter against torchvision's, picture by picture."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from etude.data.color import adjust, color_jitter, turn_hue

TORCHVISION = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator())


@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_is_changed_as_torchvision_does_in_its_own_order(channels):
    values = noise(30, channels, 12, 9) / 255
    factors = torch.rand(30, 3, generator=generator(1)) * 2
    order = torch.rand(30, 3, generator=generator(2)).argsort(1)
    assert len(order.unique(dim=0)) == 6
    found = adjust(values, factors, order)
    for picture, ours, factor, operations in zip(values, found, factors.tolist(), order.tolist()):
        expected = picture
        for operation in operations:
            expected = TORCHVISION[operation](expected, factor[operation])
        assert torch.allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize("operation", [0, 1, 2])
def test_bytes_are_torchvisions_to_within_what_it_cuts_off(operation):
    """Of bytes torchvision cuts off what is behind the point, where étude rounds; for saturation twice, of the grey too."""
    pixels = noise(20, 3, 10, 10)
    factors = torch.ones(20, 3)
    factors[:, operation] = torch.linspace(0.1, 1.9, 20)
    found = adjust(pixels / 255, factors, torch.tensor([[0, 1, 2]]).expand(20, -1)).mul(255).round()
    for picture, ours, factor in zip(pixels, found, factors[:, operation].tolist()):
        assert (ours - TORCHVISION[operation](picture, factor).float()).abs().max() <= (
            2 if operation == 2 else 1
        )


def test_hue_turns_as_torchvisions():
    values = torch.cat([noise(16, 3, 8, 8) / 255, torch.full((1, 3, 8, 8), 0.4), torch.zeros(1, 3, 8, 8)])
    turns = torch.linspace(-0.5, 0.5, 18)
    for picture, ours, turn in zip(values, turn_hue(values, turns), turns.tolist()):
        assert torch.allclose(ours, tv.adjust_hue(picture, turn), atol=1e-5)


@pytest.mark.parametrize("hue", [0.0, 0.2])
def test_strength_bounds_the_change(hue):
    pixels = noise(50, 3, 8, 8)
    changed = color_jitter(pixels, generator(), 0.4, hue)
    assert changed.dtype == torch.uint8
    assert changed.shape == pixels.shape
    assert torch.equal(color_jitter(pixels, generator(), 0.4, hue), changed)
    assert torch.equal(color_jitter(pixels, generator(), 0.0), pixels)
    flat = torch.full((4000, 1, 1, 1), 100, dtype=torch.uint8)  # only brightness can change a flat grey
    levels = color_jitter(flat, generator(), 0.4).flatten()
    assert levels.min() in range(60, 63)
    assert levels.max() in range(138, 141)
    assert abs(levels.float().mean() - 100) < 2  # five standard errors
