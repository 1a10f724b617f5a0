"""The light of pictures varied at random: brightness, contrast, saturation, hue."""

from __future__ import annotations

import torch
from torch import Tensor

from etude.data.transfer import send

_GREY = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as torchvision rounds it
_OPERATIONS = 3


def color_jitter(pixels: Tensor, chance: torch.Generator, strength: float, hue: float = 0.0) -> Tensor:
    """Change brightness, contrast and saturation of each picture, in a random order of its own.

    As torchvision's ``ColorJitter``, with one strength for the three; the hue, where asked for, turns last. The result is
    rounded once, at the end.

    Args:
        pixels: uint8 ``[batch, channels, height, width]``, 1 or 3 channels. Grey pictures have no saturation or hue.
        chance: a generator of the CPU; the same state gives the same factors on every device.
        strength: each factor is chosen evenly from [1 - strength, 1 + strength]; at most 1.
        hue: colours turn by an angle chosen evenly from [-hue, hue], in turns of the colour wheel; at most 0.5.

    Returns:
        a new tensor of the same shape, type and device.
    """
    batch = len(pixels)
    factors = 1 + strength * (2 * torch.rand(batch, _OPERATIONS, generator=chance) - 1)
    order = torch.rand(batch, _OPERATIONS, generator=chance).argsort(1)
    values = adjust(pixels.float().div_(255), factors, order)
    if hue and pixels.shape[1] == 3:
        turns = hue * (2 * torch.rand(batch, generator=chance) - 1)
        values = turn_hue(values, turns)
    return values.mul_(255).round_().to(torch.uint8)


def adjust(values: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Apply brightness (0), contrast (1) and saturation (2) to each picture in its own order.

    All three are a blend with something plainer, clamped: with black, with the picture's mean grey, with the picture
    in grey. So one pass does a different one to each picture.

    Args:
        values: float32 ``[batch, channels, height, width]``, from 0 to 1.
        factors: float32 ``[batch, 3]``: 1 leaves a picture as it is, 0 leaves only the plainer one.
        order: int64 ``[batch, 3]``: which of the three comes first, second, last.
    """
    factors = factors.gather(1, order)
    if values.shape[1] == 1:  # already in grey: nothing to blend with
        factors = factors.masked_fill(order == 2, 1.0)
    weights = send(torch.stack((factors, (order == 1).float(), (order == 2).float())), values.device)
    for factor, by_mean, by_grey in weights.permute(2, 0, 1)[..., None, None, None].unbind():
        grey = _grey(values)
        plainer = (1 - factor) * (by_mean * grey.mean((1, 2, 3), keepdim=True) + by_grey * grey)
        values = (factor * values).add_(plainer).clamp_(0, 1)
    return values


def _grey(values: Tensor) -> Tensor:
    """``[batch, 1, height, width]``: the pictures in grey."""
    if values.shape[1] == 1:
        return values
    total = values[:, :1] * _GREY[0]
    for channel in (1, 2):
        total.add_(values[:, channel : channel + 1], alpha=_GREY[channel])
    return total


def turn_hue(values: Tensor, turns: Tensor) -> Tensor:
    """Turn the colours of each picture around the colour wheel; lightness and saturation (of HSV) stay.

    Args:
        values: float32 ``[batch, 3, height, width]``, from 0 to 1.
        turns: float32 ``[batch]``; 1 is once around.
    """
    top, low = values.amax(1, keepdim=True), values.amin(1, keepdim=True)
    span = top - low
    red, green, blue = ((top - each) / span.clamp(min=1e-12) for each in values.split(1, dim=1))
    hue = torch.where(
        values[:, :1] == top, blue - green, torch.where(values[:, 1:2] == top, 2 + red - blue, 4 + green - red)
    )  # sixths of a turn
    hue = hue + 6 * send(turns, values.device).view(-1, 1, 1, 1)
    # each channel is full for two sixths of the wheel, empty for two, and rises and falls in between
    corner = send(torch.tensor([5.0, 3.0, 1.0]), values.device).view(1, 3, 1, 1)
    k = (corner + hue).remainder(6)
    return top - span * torch.minimum(k, 4 - k).clamp(0, 1)
