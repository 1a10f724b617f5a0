"""Batches of pictures that already live where they are needed: one gather a batch, nothing per item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from etude.core.devices import available_memory
from etude.core.seeds import derive_seed
from etude.data.augmentation import Augmentation
from etude.data.dataset import Examples, ImageData

EVALUATION_BATCH_SIZE = 1000
_SHARE_OF_MEMORY = 0.4  # larger sets stay on the disk, memory-mapped


class Batch(NamedTuple):
    """``inputs`` float32 ``[batch, channels, height, width]``, normalised; ``labels`` int64 ``[batch]``.

    Where examples are mixed (mixup), labels are the share of each class, float32 ``[batch, num_classes]``.
    """

    inputs: Tensor
    labels: Tensor


class ImageBatches:
    """An `ImageData` as batches on a device.

    The order of an epoch, and what chance does to each picture, are derived from (seed, epoch, batch): the
    only thing to remember of a place in an epoch is its number.

    Args:
        data: the pictures.
        batch_size: examples a batch. An epoch's last batch is smaller, and left out if it has one example
            (batch normalisation cannot work on one).
        seed: all chance follows from it.
        device: where the batches are made.
        augment: what is done to training pictures; they are mirrored, and padded and cropped, only where
            ``data.augmentations`` allows it. True: both of these and no more.
        channels_last: lay the inputs out with their channels innermost.

    Raises:
        EtudeError: what is to be done to the pictures does not fit their size.
    """

    resumes_mid_epoch = True

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        augment: bool | Augmentation = False,
        channels_last: bool = False,
    ) -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.device = torch.device(device)
        self.augmentation = _allowed(augment, data)
        self.channels_last = channels_last and data.input_shape[0] > 1
        shape = (1, -1, 1, 1)
        scale = 1.0 / (255.0 * np.asarray(data.std, dtype=np.float64))
        shift = np.asarray(data.mean, dtype=np.float64) / np.asarray(data.std, dtype=np.float64)
        self._scale = torch.tensor(scale, dtype=torch.float32, device=self.device).view(shape)
        self._shift = torch.tensor(shift, dtype=torch.float32, device=self.device).view(shape)
        self._pools: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """Batches an epoch."""
        full, rest = divmod(len(self.data.train), self.batch_size)
        return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)

    def batches(self, epoch: int, after: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` (from 0), without the first ``after`` of them."""
        pool, rows, labels = self._part(self.data.train)
        order = torch.from_numpy(epoch_order(len(labels), self.seed, epoch))
        for place in range(after, len(self)):
            chosen = order[place * self.batch_size : (place + 1) * self.batch_size].to(self.device)
            pixels = self._gather(pool, rows.index_select(0, chosen))
            targets = labels.index_select(0, chosen)
            if self.augmentation is None:
                yield Batch(self._normalise(pixels), targets)
                continue
            chance = torch.Generator().manual_seed(derive_seed(self.seed, "augment", epoch, place))
            inputs = self._normalise(self.augmentation.vary_pixels(pixels, chance))
            yield Batch(*self.augmentation.vary_inputs(inputs, targets, chance, self.data.num_classes))

    def evaluation(self, part: Literal["train", "validation", "test"]) -> Evaluation:
        """One part in its own order, in large batches, unchanged by chance."""
        return Evaluation(self, getattr(self.data, part))

    @property
    def validation(self) -> Evaluation | None:
        return self.evaluation("validation") if len(self.data.validation) else None

    @property
    def test(self) -> Evaluation | None:
        return self.evaluation("test") if len(self.data.test) else None

    def _part(self, examples: Examples) -> tuple[Tensor, Tensor, Tensor]:
        """The pool of pictures, the rows of this part in it, and their labels."""
        key = id(examples.images)
        if key not in self._pools:
            self._pools[key] = _pool(examples.images, self.device)
        rows = np.arange(len(examples)) if examples.rows is None else examples.rows
        return (
            self._pools[key],
            torch.as_tensor(rows, dtype=torch.int64, device=self.device),
            torch.as_tensor(examples.labels, dtype=torch.int64, device=self.device),
        )

    def _gather(self, pool: Tensor, rows: Tensor) -> Tensor:
        if pool.device == rows.device:
            return pool.index_select(0, rows)
        return pool.index_select(0, rows.cpu()).to(self.device)

    def _normalise(self, pixels: Tensor) -> Tensor:
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return pixels.to(dtype=torch.float32, memory_format=layout).mul_(self._scale).sub_(self._shift)


class Evaluation:
    """One part of the data in its own order: iterate as often as needed."""

    def __init__(self, source: ImageBatches, examples: Examples) -> None:
        self._source, self._examples = source, examples

    def __len__(self) -> int:
        """Examples, not batches."""
        return len(self._examples)

    def __iter__(self) -> Iterator[Batch]:
        pool, rows, labels = self._source._part(self._examples)
        for start in range(0, len(labels), EVALUATION_BATCH_SIZE):
            chosen = slice(start, start + EVALUATION_BATCH_SIZE)
            pixels = self._source._gather(pool, rows[chosen])
            yield Batch(self._source._normalise(pixels), labels[chosen])


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch (from 0) visits its examples: a permutation, int64 ``[count]``."""
    chance = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(count, generator=chance).numpy()


def _allowed(augment: bool | Augmentation, data: ImageData) -> Augmentation | None:
    """What is done to the training pictures, or None where nothing is."""
    asked = augment if isinstance(augment, Augmentation) else Augmentation(flip=augment, crop=augment)
    allowed = replace(
        asked,
        flip=asked.flip and "flip" in data.augmentations,
        crop=asked.crop and "crop" in data.augmentations,
    )
    allowed.check(*data.input_shape[1:])
    return None if allowed == Augmentation() else allowed


def _pool(images: np.ndarray, device: torch.device) -> Tensor:
    if images.nbytes > _SHARE_OF_MEMORY * available_memory():
        if (
            isinstance(images, np.memmap) and images.filename
        ):  # torch wants it writable; "c" never writes to the file
            images = np.memmap(images.filename, images.dtype, "c", images.offset, images.shape)
        return torch.from_numpy(images)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return torch.from_numpy(np.array(images)).to(
            device if images.nbytes <= _SHARE_OF_MEMORY * free else "cpu"
        )
    return torch.from_numpy(np.array(images)).to(device)
