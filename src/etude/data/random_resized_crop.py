"""Random parts of pictures, in random sizes and proportions, stretched to the whole (Szegedy et al. 2014, section 6)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL = 100
"""Pictures whose shorter side has fewer pixels than this are cropped more gently."""

_TRIES = 10


def usual_scale(height: int, width: int) -> tuple[float, float]:
    """The least and the greatest share of the area that a crop has, where nobody asked for another.

    (0.08, 1) as for ImageNet; (0.35, 1) for pictures below 100 pixels: 8 % of 32×32 is 9×9, too little to tell a
    cat from a dog.
    """
    return (0.08, 1.0) if min(height, width) >= SMALL else (0.35, 1.0)


def random_resized_crop(
    pixels: Tensor,
    chance: torch.Generator,
    scale: tuple[float, float] | None = None,
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
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
    height: int,
    width: int,
    chance: torch.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where to crop: top, left, height and width of each box in pixels, int64 ``[batch]`` each, on the CPU.

    As torchvision's ``RandomResizedCrop``: of ten random shapes the first that fits into the picture; else the
    largest one in the middle that has an admitted shape.
    """
    area = height * width * _between(torch.rand(batch, _TRIES, generator=chance), *scale)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    shape = _between(torch.rand(batch, _TRIES, generator=chance), low, high).exp()
    wide, tall = (area * shape).sqrt().round().long(), (area / shape).sqrt().round().long()
    fits = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    middle_width, middle_height = _largest(height, width, ratio)
    wide = torch.where(found, wide.gather(1, first).squeeze(1), middle_width)
    tall = torch.where(found, tall.gather(1, first).squeeze(1), middle_height)
    place = torch.rand(2, batch, generator=chance, dtype=torch.float64)  # float32 could round up to the end
    top = torch.where(found, (place[0] * (height - tall + 1)).long(), (height - tall) // 2)
    left = torch.where(found, (place[1] * (width - wide + 1)).long(), (width - wide) // 2)
    return top, left, tall, wide


def crop_and_stretch(pixels: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    """The box of each picture, stretched to the picture's size by bilinear interpolation.

    A box is never larger than what it becomes, so there is nothing that an antialiasing filter would have to remove:
    the result is torchvision's ``resized_crop``, with ``antialias`` or without, to within a grey level.

    Args:
        pixels: uint8 ``[batch, channels, height, width]``.
        top, left, tall, wide: int64 ``[batch]``, in pixels; from `random_boxes`.
    """
    batch, _, height, width = pixels.shape
    rows = _samples(top, tall, height).view(batch, height, 1).expand(-1, -1, width)
    columns = _samples(left, wide, width).view(batch, 1, width).expand(-1, height, -1)
    grid = torch.stack((columns, rows), dim=-1).to(pixels.device)
    sampled = F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.round_().to(torch.uint8)


def _samples(start: Tensor, length: Tensor, count: int) -> Tensor:
    """Where along one axis each pixel of the result lies in the picture, on the scale of -1 to 1, float32 ``[batch, count]``."""
    centres = (torch.arange(count) + 0.5) * (length / count).unsqueeze(1) - 0.5
    # never beyond the centres of the box's outermost pixels: its neighbours must not shine through
    inside = centres.clamp(min=0).minimum((length - 1).unsqueeze(1)) + start.unsqueeze(1)
    return (2 * inside + 1) / count - 1


def _largest(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int]:
    """Width and height of the largest box whose shape is admitted."""
    if width < ratio[0] * height:
        return width, round(width / ratio[0])
    if width > ratio[1] * height:
        return round(height * ratio[1]), height
    return width, height


def _between(share: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * share
