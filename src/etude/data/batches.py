"""Batches of pictures that already live where they are needed: one gather a batch, nothing per item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from etude.core.seeds import derive_seed
from etude.data.augmentation import Augmentation
from etude.data.dataset import Examples, ImageData
from etude.data.normalise import Normalisation
from etude.data.prefetch import prefetch
from etude.data.source import Source, fits_memory
from etude.data.transfer import send

EVALUATION_BATCH_SIZE = 1000
_NUMBERS = 1 << 24  # inputs that evaluation takes at once: 111 pictures of 224 pixels, 1,000 of 64


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
        prefetch: how many batches a thread makes ahead; 0: each is made when it is asked for.

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
        prefetch: int = 0,
    ) -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.device = torch.device(device)
        self.augmentation = _allowed(augment, data)
        self.channels_last = channels_last and data.input_shape[0] > 1
        self._depth = prefetch
        self._normalise = Normalisation(data.mean, data.std, self.device, self.channels_last)
        self._sources: dict[int, Source] = {}
        self._parts: dict[int, tuple[Source, Tensor, Tensor]] = {}

    def __len__(self) -> int:
        """Batches an epoch."""
        full, rest = divmod(len(self.data.train), self.batch_size)
        return full + (1 if rest > 1 or (rest == 1 and full == 0) else 0)

    def batches(self, epoch: int, after: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch`` (from 0), without the first ``after`` of them."""
        made = self._batches(epoch, after)
        if self._depth:
            self._part(
                self.data.train
            )  # by this thread, which may use more cores than the one that works ahead
        yield from prefetch(made, self._depth) if self._depth else made

    def _batches(self, epoch: int, after: int) -> Iterator[Batch]:
        source, rows, labels = self._part(self.data.train)
        order = torch.from_numpy(epoch_order(len(labels), self.seed, epoch))
        rows, labels = (each.index_select(0, send(order, each.device)) for each in (rows, labels))
        source.ask(rows[after * self.batch_size :])
        for place in range(after, len(self)):
            here = slice(place * self.batch_size, (place + 1) * self.batch_size)
            if self.augmentation is None:
                yield Batch(self._normalise(source.gather(rows[here]), source.run), labels[here])
                continue
            chance = torch.Generator().manual_seed(derive_seed(self.seed, "augment", epoch, place))
            if self.augmentation.random_resized_crop and source.cuts:
                pixels = self.augmentation.cut_pixels(source, rows[here], chance)
            else:
                pixels = self.augmentation.vary_pixels(source.gather(rows[here]), chance)
            inputs = self._normalise(pixels, source.run)
            yield Batch(*self.augmentation.vary_inputs(inputs, labels[here], chance, self.data.num_classes))

    def evaluation(self, part: Literal["train", "validation", "test"]) -> Evaluation:
        """One part in its own order, in large batches, unchanged by chance."""
        return Evaluation(self, getattr(self.data, part))

    @property
    def validation(self) -> Evaluation | None:
        return self.evaluation("validation") if len(self.data.validation) else None

    @property
    def test(self) -> Evaluation | None:
        return self.evaluation("test") if len(self.data.test) else None

    def _part(self, examples: Examples) -> tuple[Source, Tensor, Tensor]:
        """Where the pictures are, the rows of this part among them (where these are wanted), and their labels."""
        if id(examples) not in self._parts:
            with torch.inference_mode(False):  # they outlive a block in which they may be asked for first
                self._parts[id(examples)] = self._located(examples)
        return self._parts[id(examples)]

    def _located(self, examples: Examples) -> tuple[Source, Tensor, Tensor]:
        key = id(examples.images)
        if key not in self._sources:
            self._sources[key] = Source(examples.images, self.device, self._innermost(examples.images))
        source = self._sources[key]
        rows = np.arange(len(examples)) if examples.rows is None else examples.rows
        return (
            source,
            torch.as_tensor(rows, dtype=torch.int64, device=source.rows_on),
            torch.as_tensor(examples.labels, dtype=torch.int64, device=self.device),
        )

    def _innermost(self, images: Any) -> bool:
        """Whether the pictures are laid out once with their channels innermost, as the network will want each batch."""
        varied = self.augmentation
        return (
            self.channels_last
            and self.device.type == "cpu"
            and (varied is None or varied.moves_only)
            and fits_memory(images)
        )


class Evaluation:
    """One part of the data in its own order: iterate as often as needed."""

    def __init__(self, source: ImageBatches, examples: Examples) -> None:
        self._source, self._examples = source, examples

    def __len__(self) -> int:
        """Examples, not batches."""
        return len(self._examples)

    def __iter__(self) -> Iterator[Batch]:
        source, rows, labels = self._source._part(self._examples)
        source.ask(rows)
        size = evaluation_batch_size(self._source.data.input_shape)
        for start in range(0, len(labels), size):
            chosen = slice(start, start + size)
            yield Batch(self._source._normalise(source.gather(rows[chosen]), source.run), labels[chosen])


def evaluation_batch_size(input_shape: tuple[int, int, int]) -> int:
    """Examples a batch in evaluation: as many as are fast, fewer of large pictures, whose activations would fill the memory."""
    return min(EVALUATION_BATCH_SIZE, max(_NUMBERS // int(np.prod(input_shape)), 32))


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
