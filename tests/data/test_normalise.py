"""Normalised pixels against torchvision's, in every layout."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import v2

from etude.data.normalise import Normalisation


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("innermost", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_numbers_do_not_depend_on_the_layout(channels, innermost, channels_last):
    mean, std = (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels]
    pixels = torch.randint(
        0, 256, (5, channels, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    given = pixels.contiguous(memory_format=torch.channels_last) if innermost else pixels
    before = given.clone()
    inputs = Normalisation(mean, std, torch.device("cpu"), channels_last)(given)
    assert torch.equal(given, before)
    assert inputs.dtype == torch.float32
    if channels > 1:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert inputs.is_contiguous(memory_format=layout)
    expected = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])(pixels)
    assert torch.allclose(inputs, expected, atol=1e-5)
    assert torch.equal(inputs, Normalisation(mean, std, torch.device("cpu"), False)(pixels))
