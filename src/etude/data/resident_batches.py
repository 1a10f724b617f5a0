"""Batches made wholly on the device: its chance is sent there once an epoch, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from etude.core.errors import EtudeError
from etude.data.batches import Batch, Evaluation, ImageBatches, epoch_order
from etude.data.dataset import Examples, ImageData
from etude.data.shift_and_mirror import mirrored_in, shift_and_mirror, shifts_in
from etude.data.transfer import send


class ResidentBatches:
    """An `ImageData` as batches of a GPU, for training that takes seconds; it works on every device.

    Pictures are mirrored in every other epoch (`mirrored_in`) where ``data.augmentations`` allows it, and moved by up
    to ``shift`` pixels with reflected edges. Order and chance of an epoch are derived from (seed, epoch) on the CPU, so
    that every device sees the same, and sent in three copies; after that no batch waits for the host. Inputs have
    their channels innermost. A last batch that is not full is left out: captured steps are of one shape.

    Args:
        data: the pictures; they must fit into the device's memory.
        batch_size: examples a batch.
        seed: all chance follows from it.
        device: where the batches are made.
        shift: how far pictures are moved at most, in pixels; 0: not at all.
        flip: whether they are mirrored.

    Raises:
        EtudeError: the batch is larger than the training part, or the shift as large as a picture.
    """

    resumes_mid_epoch = True

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        shift: int = 2,
        flip: bool = True,
    ) -> None:
        count, side = len(data.train), min(data.input_shape[1:])
        if batch_size > count:
            raise EtudeError(
                en=f"batch_size is {batch_size}, but the training part has {count} examples; choose at most {count}.",
                zh=f"batch_size 为 {batch_size}，而训练集只有 {count} 个样本；请取不超过 {count} 的值。",
            )
        if not 0 <= shift < side:
            raise EtudeError(
                en=f"shift is {shift} pixels; it must be at least 0 and less than the {side} pixels of a picture's side.",
                zh=f"shift 为 {shift} 像素；它必须不小于 0 且小于图片的边长 {side} 像素。",
            )
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.device, self.shift = torch.device(device), shift
        self.flip = flip and "flip" in data.augmentations
        self._plain = ImageBatches(data, batch_size, seed, device, False, channels_last=True)
        std = np.asarray(data.std, dtype=np.float64)
        self._scale = self._per_channel(1 / (255 * std))
        self._offset = self._per_channel(-np.asarray(data.mean, dtype=np.float64) / std)
        self._pool, self._labels = self._resident(data.train)

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.data.train) // self.batch_size

    def batches(self, epoch: int, after: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` (from 0), without the first ``after`` of them."""
        count = len(self.data.train)
        order = send(torch.from_numpy(epoch_order(count, self.seed, epoch)), self.device)
        mirrored = torch.zeros(count, dtype=torch.bool)
        if self.flip:
            mirrored = mirrored_in(epoch, count, self.seed)
        mirrored = send(mirrored, self.device)
        shifts = send(shifts_in(epoch, count, self.seed, self.shift), self.device)
        for place in range(after, len(self)):
            rows = order[place * self.batch_size : (place + 1) * self.batch_size]
            pixels = shift_and_mirror(self._pool, rows, shifts[:, rows], mirrored[rows])
            yield Batch(self._normalise(pixels), self._labels.index_select(0, rows))

    def first_inputs(self, count: int) -> Tensor:
        """The first training pictures, unvaried and normalised: float32 ``[count, channels, height, width]``."""
        return self._normalise(self._pool[:count])

    def evaluation(self, part: Literal["train", "validation", "test"]) -> Evaluation:
        """One part in its own order, in large batches, unchanged by chance."""
        return self._plain.evaluation(part)

    @property
    def validation(self) -> Evaluation | None:
        return self._plain.validation

    @property
    def test(self) -> Evaluation | None:
        return self._plain.test

    def _normalise(self, pixels: Tensor) -> Tensor:
        inputs = pixels.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(self._offset, inputs, self._scale)

    def _per_channel(self, values: np.ndarray) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device).view(1, -1, 1, 1)

    def _resident(self, examples: Examples) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.array(examples.pixels()))
        labels = torch.from_numpy(np.array(examples.labels))
        # in the layout of the batches, so that a gather reads neighbouring bytes
        pool = send(pixels, self.device).contiguous(memory_format=torch.channels_last)
        return pool, send(labels, self.device)
