"""Where the pictures of a data set lie while batches are made of them: on the device, in memory, on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from etude.core.devices import available_memory
from etude.data.kept import KeptPictures
from etude.data.random_resized_crop import Boxes
from etude.data.stretch import TOGETHER, Map, stretch_each
from etude.data.threads import Workers
from etude.data.transfer import send

_SHARE_OF_MEMORY = 0.4  # larger sets stay on the disk, memory-mapped


class Source:
    """Pictures as pixels on a device, by their rows.

    Args:
        images: uint8 ``[n, channels, height, width]``: an array, a memory map, or `KeptPictures`.
        device: where the pixels are wanted.
        channels_last: lay them out with their channels innermost, where that costs nothing at each batch.
    """

    def __init__(self, images: Any, device: torch.device, channels_last: bool) -> None:
        self._device = device
        self._kept = images if isinstance(images, KeptPictures) else None
        self._channels_last = channels_last
        self._pool = torch.empty(0) if self._kept is not None else _pool(images, device, channels_last)
        self._threads = torch.get_num_threads()  # of this thread: one that works ahead has a single one
        self._workers: Workers | None = None
        self.size: tuple[int, int] = (int(images.shape[2]), int(images.shape[3]))
        """Height and width of a picture as the network takes it."""

    @property
    def rows_on(self) -> torch.device:
        """Where the rows of pictures are wanted."""
        return self._pool.device

    @property
    def cuts(self) -> bool:
        """Whether crops are best cut from here: picture by picture, or out of larger ones."""
        return self._kept is not None or self.run is not None

    def ask(self, rows: Tensor) -> None:
        """Say which pictures will be wanted next, in which order: some may not be decoded yet."""
        if self._kept is not None:
            self._kept.ask(rows.numpy())

    def gather(self, rows: Tensor) -> Tensor:
        """The pictures in these rows, int64 ``[batch]``: uint8 ``[batch, channels, height, width]`` on the device."""
        if self._kept is not None:
            return send(self._kept.cut(rows.numpy(), run=self._each), self._device)
        pixels = send(self._pool.index_select(0, rows), self._device)
        return pixels.permute(0, 3, 1, 2) if self._channels_last else pixels

    def sizes(self, rows: Tensor) -> tuple[int | Tensor, int | Tensor]:
        """Height and width of what crops are cut from: of all pictures, or of each, int64 ``[batch]``."""
        return self.size if self._kept is None else self._kept.sizes(rows.numpy())

    def cut(self, rows: Tensor, boxes: Boxes, mirrored: Tensor | None) -> Tensor:
        """Boxes of the pictures in these rows, stretched to their size; see `KeptPictures.cut`."""
        if self._kept is not None:
            return send(self._kept.cut(rows.numpy(), boxes, mirrored, self._each), self._device)
        pool = self._pool if self._channels_last else self._pool.permute(0, 2, 3, 1)
        array = pool.numpy()
        return stretch_each([array[row] for row in rows.tolist()], boxes, self.size, mirrored, self._each)

    @property
    def run(self) -> Map | None:
        """What pictures are mapped with that are best worked on one by one; None: a batch as a whole is as fast."""
        return self._each if self._device.type == "cpu" and max(self.size) > TOGETHER else None

    def _each(self, work: Callable[[int], None], items: Iterable[int]) -> Iterable[None]:
        if self._workers is None:
            self._workers = Workers(self._threads)
        return self._workers.map(work, items)


def fits_memory(images: Any) -> bool:
    """Whether a copy of the pictures may be held in memory."""
    return images.nbytes <= _SHARE_OF_MEMORY * available_memory()


def fits_gpu(images: Any, device: torch.device) -> bool:
    """Whether a copy of the pictures may be held on this GPU."""
    free, _ = torch.cuda.mem_get_info(device)
    return bool(images.nbytes <= _SHARE_OF_MEMORY * free)


def _pool(images: np.ndarray, device: torch.device, channels_last: bool) -> Tensor:
    """``[n, channels, height, width]``, or ``[n, height, width, channels]`` with the channels innermost."""
    large = not fits_memory(images)
    if large and isinstance(images, np.memmap) and images.filename:
        # torch wants it writable; "c" never writes to the file
        images = np.memmap(images.filename, images.dtype, "c", images.offset, images.shape)
    if channels_last:
        return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
    if large:
        return torch.from_numpy(images)
    pool = torch.from_numpy(np.array(images))
    if device.type == "cuda":
        return pool.to(device if fits_gpu(images, device) else "cpu")
    return pool.to(device)
