"""Cutout against torchvision's erase."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from etude.data.cutout import cutout


@pytest.mark.parametrize("side", [1, 4, 7])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_one_square_is_zero_and_the_rest_untouched(side, layout):
    inputs = torch.rand(400, 3, 12, 15, generator=torch.Generator().manual_seed(0)) + 1
    inputs = inputs.contiguous(memory_format=layout)
    cut = cutout(inputs, torch.Generator().manual_seed(1), side)
    assert cut.is_contiguous(memory_format=layout)
    centres = set()
    for before, after in zip(inputs, cut):
        rows, columns = (after == 0).all(0).nonzero().T
        top, left = int(rows.min()), int(columns.min())
        tall, wide = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
        assert torch.equal(after, tv.erase(before, top, left, tall, wide, torch.zeros(3, 1, 1)))
        # smaller only where the border cuts it off
        assert tall == side or (tall < side and (top == 0 or top + tall == 12))
        assert wide == side or (wide < side and (left == 0 or left + wide == 15))
        centres.add((top, left, tall, wide))
    assert len(centres) > 100  # of 180 places


def test_every_pixel_is_as_likely_as_the_formula_says():
    """The corner is hit by the centres within reach of it: with side 4, three of eight rows and columns."""
    cut = cutout(torch.ones(20_000, 1, 8, 8), torch.Generator().manual_seed(0), 4)
    hit = 1 - cut.mean((0, 1))
    reach = torch.tensor([sum(c - 2 <= place < c + 2 for c in range(8)) for place in range(8)]) / 8
    assert torch.allclose(hit, reach[:, None] * reach[None], atol=0.018)  # five standard errors
