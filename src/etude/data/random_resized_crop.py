"""Random parts of pictures, in random sizes and proportions, stretched to the whole (Szegedy et al. 2014, section 6)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from etude.data.stretch import crop_and_stretch

SMALL = 100
"""Pictures whose shorter side has fewer pixels than this are cropped more gently."""

RATIO = (3 / 4, 4 / 3)
"""Least and greatest width by height of a crop, as for ImageNet."""

_TRIES = 10


def usual_scale(height: int, width: int) -> tuple[float, float]:
    """The least and the greatest share of the area that a crop has, where nobody asked for another.

    (0.08, 1) as for ImageNet; (0.35, 1) for pictures below 100 pixels: 8 % of 32×32 is 9×9, too little to tell a
    cat from a dog.
    """
    return (0.08, 1.0) if min(height, width) >= SMALL else (0.35, 1.0)


class Boxes(NamedTuple):
    """Where to crop: ``top``, ``left``, ``height`` and ``width`` of each box in pixels, int64 ``[batch]`` each, on the CPU."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def random_resized_crop(
    pixels: Tensor,
    chance: torch.Generator,
    scale: tuple[float, float] | None = None,
    ratio: tuple[float, float] = RATIO,
) -> Tensor:
    """Crop each picture at a random place, in a random size and shape, and stretch the crop to the picture's size.

    Args:
        pixels: uint8 ``[batch, channels, height, width]``.
        chance: a generator of the CPU; the same state gives the same crops on every device.
        scale: least and greatest area of a crop, as a share of the picture's; None: `usual_scale`.
        ratio: least and greatest width by height of a crop, chosen evenly on a logarithmic scale.

    Returns:
        a new tensor of the same shape, type and device.
    """
    batch, _, height, width = pixels.shape
    boxes = random_boxes(batch, height, width, chance, scale or usual_scale(height, width), ratio)
    return crop_and_stretch(pixels, *boxes)


def random_boxes(
    batch: int,
    height: int | Tensor,
    width: int | Tensor,
    chance: torch.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float] = RATIO,
) -> Boxes:
    """Boxes to crop.

    As torchvision's ``RandomResizedCrop``: of ten random shapes the first that fits into the picture; else the
    largest one in the middle that has an admitted shape.

    Args:
        height, width: of all pictures, or int64 ``[batch]`` of each, in pixels.
    """
    high, broad = (torch.as_tensor(each).expand(batch) for each in (height, width))
    area = (high * broad).unsqueeze(1) * _between(torch.rand(batch, _TRIES, generator=chance), *scale)
    shape = _between(torch.rand(batch, _TRIES, generator=chance), math.log(ratio[0]), math.log(ratio[1]))
    # by NumPy: torch hands even a few numbers to MKL, which wakes all its threads for them
    shape = torch.from_numpy(np.exp(shape.numpy()))
    wide, tall = (
        torch.from_numpy(np.sqrt(each.numpy())).round().long() for each in (area * shape, area / shape)
    )
    fits = (wide > 0) & (wide <= broad.unsqueeze(1)) & (tall > 0) & (tall <= high.unsqueeze(1))
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    middle_width, middle_height = _largest(high.double(), broad.double(), ratio)
    wide = torch.where(found, wide.gather(1, first).squeeze(1), middle_width)
    tall = torch.where(found, tall.gather(1, first).squeeze(1), middle_height)
    place = torch.rand(2, batch, generator=chance, dtype=torch.float64)  # float32 could round up to the end
    top = torch.where(found, (place[0] * (high - tall + 1)).long(), (high - tall) // 2)
    left = torch.where(found, (place[1] * (broad - wide + 1)).long(), (broad - wide) // 2)
    return Boxes(top, left, tall, wide)


def _largest(height: Tensor, width: Tensor, ratio: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Width and height of the largest box whose shape is admitted, int64 ``[batch]`` each."""
    wide = torch.where(width > ratio[1] * height, (height * ratio[1]).round(), width)
    tall = torch.where(width < ratio[0] * height, (width / ratio[0]).round(), height)
    return wide.long(), tall.long()


def _between(share: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * share
