"""Parts of pictures stretched to one size by bilinear interpolation: a batch at a time, or picture by picture in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from etude.data.transfer import send

Map = Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]
"""`map`, or that of an executor."""

TOGETHER = 40
"""Pictures whose sides have at most this many pixels are stretched a batch at a time on a CPU; larger ones, where a batch
leaves the processor's cache, one after the other by torch's kernel for bytes: 3 times as fast at 224 pixels, and half as
fast at 32."""


def crop_and_stretch(pixels: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    """The box of each picture, stretched to the picture's size.

    The result is torchvision's ``resized_crop``, with ``antialias`` or without, to within a grey level: a box is never
    larger than what it becomes, so there is nothing that an antialiasing filter would have to remove.

    Args:
        pixels: uint8 ``[batch, channels, height, width]``.
        top, left, tall, wide: int64 ``[batch]``, in pixels, on the CPU.

    Returns:
        a new tensor of the same shape, type and device.
    """
    height, width = pixels.shape[2:]
    if pixels.device.type == "cpu" and max(height, width) > TOGETHER:
        pictures = list(pixels.permute(0, 2, 3, 1).numpy())
        return stretch_each(pictures, (top, left, tall, wide), (height, width))
    return _stretch_together(pixels, top, left, tall, wide)


def stretch_each(
    pictures: Sequence[np.ndarray],
    boxes: tuple[Tensor, Tensor, Tensor, Tensor],
    size: tuple[int, int],
    mirrored: Tensor | None = None,
    run: Map = map,
) -> Tensor:
    """A box of each picture, stretched to a size of its own choice: on the CPU, picture by picture, antialiased.

    Args:
        pictures: uint8 ``[height, width, channels]`` each; their sizes may differ. Nothing of them is read but the boxes.
        boxes: top, left, height and width, int64 ``[batch]`` each, in pixels.
        size: height and width of the result.
        mirrored: bool ``[batch]``: which results are mirrored; None: none.
        run: what the pictures are mapped with: `map`, or that of `etude.data.threads.Workers`.

    Returns:
        uint8 ``[batch, channels, *size]``, channels innermost.
    """
    result = np.empty((len(pictures), *size, pictures[0].shape[2]), dtype=np.uint8)
    turned = [False] * len(pictures) if mirrored is None else mirrored.tolist()
    places = list(zip(pictures, turned, *(each.tolist() for each in boxes)))

    def stretch(index: int) -> None:
        picture, turn, top, left, tall, wide = places[index]
        box = picture[top : top + tall, left : left + wide]
        inner = box.strides[2] == 1
        # copied by NumPy: torch would wake all its threads for each picture
        batch = torch.from_numpy(np.ascontiguousarray(box if inner else box.transpose(2, 0, 1))).unsqueeze(0)
        if inner:  # after unsqueeze: its strides then say so, and torch leaves the channels where they are
            batch = batch.permute(0, 3, 1, 2)
        if (tall, wide) != size:
            batch = F.interpolate(batch, size=size, mode="bilinear", antialias=True)
        stretched = batch[0].permute(1, 2, 0)
        result[index] = (stretched.flip(1) if turn else stretched).numpy()

    for _ in run(stretch, range(len(places))):
        pass
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def _stretch_together(pixels: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    batch, _, height, width = pixels.shape
    rows = send(_samples(top, tall, height), pixels.device).view(batch, height, 1).expand(-1, -1, width)
    columns = send(_samples(left, wide, width), pixels.device).view(batch, 1, width).expand(-1, height, -1)
    grid = torch.stack((columns, rows), dim=-1)
    sampled = F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.round_().to(torch.uint8)


def _samples(start: Tensor, length: Tensor, count: int) -> Tensor:
    """Where along one axis each pixel of the result lies in the picture, on the scale of -1 to 1, float32 ``[batch, count]``."""
    centres = (torch.arange(count) + 0.5) * (length / count).unsqueeze(1) - 0.5
    # never beyond the centres of the box's outermost pixels: its neighbours must not shine through
    inside = centres.clamp(min=0).minimum((length - 1).unsqueeze(1)) + start.unsqueeze(1)
    return (2 * inside + 1) / count - 1
