"""Pictures kept larger than a network takes them, so that random crops have something to be cut from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from etude.data.random_resized_crop import Boxes
from etude.data.stretch import Map, stretch_each

Progress = Callable[[int, int], None] | None

_SPARE = 1.5  # a shorter side of up to this many times what is needed is kept: making it smaller costs as much as decoding


def kept_size(height: int, width: int, shorter: int) -> tuple[int, int]:
    """As how large a decoded picture is kept whose shorter side needs ``shorter`` pixels: just as it is, unless it has
    many more than that; then with just that many."""
    factor = shorter / min(height, width)
    if factor * _SPARE >= 1:
        return height, width
    return max(round(height * factor), 1), max(round(width * factor), 1)


def keep(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """A picture, uint8 ``[height, width, channels]``, as it is kept; see `kept_size`."""
    size = kept_size(*pixels.shape[:2], shorter)
    if size != pixels.shape[:2]:
        batch = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
        batch = F.interpolate(batch, size=size, mode="bilinear", antialias=True)
        pixels = np.ascontiguousarray(batch[0].permute(1, 2, 0).numpy())
    return pixels


def middle(heights: Tensor, widths: Tensor, size: tuple[int, int]) -> Boxes:
    """The largest box in the middle of each picture that has the proportions of ``size`` (height and width).

    Args:
        heights, widths: int64 ``[batch]``, in pixels.
    """
    scale = torch.minimum(heights / size[0], widths / size[1])
    tall = (size[0] * scale).round().clamp(min=1).long().minimum(heights)
    wide = (size[1] * scale).round().clamp(min=1).long().minimum(widths)
    return Boxes((heights - tall) // 2, (widths - wide) // 2, tall, wide)


class KeptPictures:
    """Pictures as an array of what a network takes, cut out of larger ones at each access.

    It can be used as a NumPy array: ``np.asarray(pictures)``, ``pictures[rows]``, ``pictures.shape`` have the middle of
    each picture, uint8 ``[n, channels, height, width]``. Only `cut` sees the whole ones.

    Args:
        pixels: uint8, those of all pictures, ``[height, width, channels]`` each, one after the other; may be a memory map.
        offsets: int64 ``[n]``: where each picture begins.
        sizes: int64 ``[n, 2]``: height and width of each, as it is kept.
        shape: channels, height and width of what the network takes.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self, pixels: np.ndarray, offsets: np.ndarray, sizes: np.ndarray, shape: tuple[int, int, int]
    ) -> None:
        self._pixels, self._offsets, self._sizes = np.asarray(pixels), offsets, sizes
        self.shape = (len(offsets), *shape)
        self.nbytes = int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: Any) -> np.ndarray:
        first, *others = index if isinstance(index, tuple) else (index,)
        chosen = np.arange(len(self))[first]
        pictures = np.ascontiguousarray(self.cut(np.atleast_1d(chosen)).numpy())
        if not np.ndim(chosen):
            return pictures[0][tuple(others)]
        return pictures[(slice(None), *others)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pictures = self[:]
        return pictures if dtype is None else pictures.astype(dtype)

    def ask(self, rows: Sequence[int] | np.ndarray) -> None:
        """Say which pictures will be wanted next, in which order."""

    def wait(self, rows: Sequence[int] | np.ndarray | None = None, progress: Progress = None) -> None:
        """Wait until these pictures (all, by default) are there; ``progress`` is called with (done, total)."""

    def sizes(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Heights and widths of the whole pictures, int64 ``[batch]`` each, once they are there."""
        self.wait(rows)
        heights, widths = torch.from_numpy(self._sizes[rows]).unbind(1)
        return heights, widths

    def cut(
        self, rows: np.ndarray, boxes: Boxes | None = None, mirrored: Tensor | None = None, run: Map = map
    ) -> Tensor:
        """A box of each picture, as large as the network takes it.

        Args:
            rows: int64 ``[batch]``.
            boxes: in the whole pictures; None: `middle`.
            mirrored: bool ``[batch]``: which are mirrored.
            run: what the pictures are mapped with: `map`, or that of `etude.data.threads.Workers`.

        Returns:
            uint8 ``[batch, channels, height, width]``, on the CPU.
        """
        boxes = boxes or middle(*self.sizes(rows), self.shape[2:])
        self.wait(rows)
        if not len(rows):
            return torch.empty((0, *self.shape[1:]), dtype=torch.uint8)
        return stretch_each([self.whole(row) for row in rows], boxes, self.shape[2:], mirrored, run)

    def whole(self, row: int) -> np.ndarray:
        """A picture as it is kept, once it is there: uint8 ``[height, width, channels]``."""
        (height, width), start, channels = self._sizes[row], self._offsets[row], self.shape[1]
        return self._pixels[start : start + height * width * channels].reshape(height, width, channels)
