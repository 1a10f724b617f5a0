"""Pictures varied at random, a whole batch at a time, each picture on its own."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor


def flip_and_crop(pixels: Tensor, chance: torch.Generator, which: Collection[str]) -> Tensor:
    """Mirror half of the pictures (``"flip"``); pad each and crop it back at a random place (``"crop"``).

    The padding is an eighth of each side (4 pixels of 32, as in He et al. 2016, section 4.2), in black.

    Args:
        pixels: ``[batch, channels, height, width]``, any type.
        chance: a generator of the CPU; the same state gives the same result on every device.

    Returns:
        a new tensor of the same shape, type and device.
    """
    batch, _, height, width = pixels.shape
    if "flip" in which:
        mirrored = (torch.rand(batch, generator=chance) < 0.5).to(pixels.device)
        pixels = torch.where(mirrored.view(-1, 1, 1, 1), pixels.flip(-1), pixels)
    if "crop" in which:
        tall, wide = max(height // 8, 1), max(width // 8, 1)
        down = torch.randint(2 * tall + 1, (batch,), generator=chance)
        right = torch.randint(2 * wide + 1, (batch,), generator=chance)
        pixels = _shifted(F.pad(pixels, (wide, wide, tall, tall)), down, right, height, width)
    return pixels


def _shifted(padded: Tensor, down: Tensor, right: Tensor, height: int, width: int) -> Tensor:
    """The window of each picture that starts at its own (down, right)."""
    device = padded.device
    which = torch.arange(len(padded), device=device).view(-1, 1, 1)
    rows = (down.view(-1, 1) + torch.arange(height)).to(device).unsqueeze(2)  # [batch, height, 1]
    columns = (right.view(-1, 1) + torch.arange(width)).to(device).unsqueeze(1)  # [batch, 1, width]
    return padded.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2)
