"""Pixels as the numbers a network takes: scaled, shifted, and laid out as it wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from etude.data.stretch import Map


class Normalisation:
    """``(pixel / 255 - mean) / std`` of each channel, as ``pixel · scale - shift`` in float32.

    Every layout gives the same numbers to the bit.

    Args:
        mean, std: per channel, on the scale where 255 is 1.
        device: where the pictures are.
        channels_last: lay the result out with its channels innermost.
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], device: torch.device, channels_last: bool
    ) -> None:
        self._channels_last = channels_last
        deviation = np.asarray(std, dtype=np.float64)
        self._scale, self._shift = (
            torch.tensor(each, dtype=torch.float32, device=device).view(1, -1, 1, 1)
            for each in (1.0 / (255.0 * deviation), np.asarray(mean, dtype=np.float64) / deviation)
        )
        self._rows: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, pixels: Tensor, run: Map | None = None) -> Tensor:
        """uint8 ``[batch, channels, height, width]`` in any layout as float32 of the same shape.

        Args:
            pixels: the pictures.
            run: what large ones of a CPU are mapped with, one by one, so that each stays in a core's cache between the
                passes over it; None: the batch as a whole.
        """
        if pixels.device.type != "cpu":
            layout = torch.channels_last if self._channels_last else torch.contiguous_format
            return pixels.to(dtype=torch.float32, memory_format=layout).mul_(self._scale).sub_(self._shift)
        if (
            self._channels_last
            and pixels.shape[1] > 1
            and pixels.is_contiguous(memory_format=torch.channels_last)
        ):
            return self._of_rows(pixels, run)
        result = pixels.to(dtype=torch.float32, memory_format=torch.contiguous_format)
        result = result.mul_(self._scale).sub_(self._shift)
        return result.contiguous(memory_format=torch.channels_last) if self._channels_last else result

    def _of_rows(self, pixels: Tensor, run: Map | None) -> Tensor:
        """The scale is repeated over a whole row: with a channel a turn, torch would start anew at every pixel."""
        batch, channels, height, width = pixels.shape
        if width not in self._rows:
            self._rows[width] = tuple(each.view(-1).repeat(width) for each in (self._scale, self._shift))
        scale, shift = self._rows[width]
        rows = pixels.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
        if run is None:
            result = rows.to(torch.float32).mul_(scale).sub_(shift)
        else:
            result = torch.empty(rows.shape, dtype=torch.float32)

            def normalise(index: int) -> None:
                result[index].copy_(rows[index]).mul_(scale).sub_(shift)

            for _ in run(normalise, range(batch)):
                pass
        return result.view(batch, height, width, channels).permute(0, 3, 1, 2)
