"""A square blotted out of each picture, so that no single spot can be relied on (DeVries & Taylor 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from etude.data.transfer import send


def cutout(inputs: Tensor, chance: torch.Generator, side: int) -> Tensor:
    """Set a square of each picture to 0, which is the mean colour once pictures are normalised (section 3.2 there).

    The square's centre may be any pixel, so part of it may lie outside; the paper found that this matters.

    Args:
        inputs: ``[batch, channels, height, width]``, any type.
        chance: a generator of the CPU; the same state gives the same squares on every device.
        side: of the square, in pixels.

    Returns:
        a new tensor of the same shape, type, layout and device.
    """
    batch, _, height, width = inputs.shape
    drawn = [torch.randint(length, (batch, 1), generator=chance) for length in (height, width)]
    down, right = send(torch.stack(drawn), inputs.device)
    rows, columns = _near(down, height, side), _near(right, width, side)
    hole = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)  # [batch, 1, height, width]
    return inputs.clone().masked_fill_(hole, 0)  # the clone keeps the layout


def _near(centre: Tensor, length: int, side: int) -> Tensor:
    """Which of ``length`` places are in the square, bool ``[batch, length]``."""
    offset = torch.arange(length, device=centre.device) - (centre - side // 2)
    return (offset >= 0) & (offset < side)
