"""All that may be done to training pictures at random, in one place and one order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from etude.core.errors import EtudeError
from etude.data.augment import draw_mirrored, flip_and_crop
from etude.data.color import color_jitter
from etude.data.cutout import cutout
from etude.data.mixup import mixing_shares, mixup
from etude.data.random_resized_crop import random_boxes, random_resized_crop, usual_scale
from etude.data.source import Source


@dataclass(frozen=True)
class Augmentation:
    """What is done to the training pictures of a batch.

    Args:
        flip: mirror half of them.
        crop: pad them and crop them back at a random place.
        random_resized_crop: crop them at random in size and shape, and stretch; takes the place of ``crop``.
        color_jitter: largest change of brightness, contrast and saturation, from 0 (none) to 1.
        cutout: side of the square blotted out, in pixels; 0: none.
        mixup: parameter of the Beta distribution of shares when examples are mixed; 0: they are not.
    """

    flip: bool = False
    crop: bool = False
    random_resized_crop: bool = False
    color_jitter: float = 0.0
    cutout: int = 0
    mixup: float = 0.0

    def check(self, height: int, width: int) -> None:
        """See that it can be done to pictures of this size.

        Raises:
            EtudeError: the square to be blotted out could cover a whole picture.
        """
        if self.cutout >= min(height, width):
            raise EtudeError(
                en=f"cutout is {self.cutout} pixels, but the pictures have {height}×{width}: nothing could be left of "
                f"one; choose at most {min(height, width) - 1}, such as {min(height, width) // 2}.",
                zh=f"cutout 为 {self.cutout} 像素，而图片只有 {height}×{width}，可能整张被抹去；"
                f"请取不超过 {min(height, width) - 1} 的值，例如 {min(height, width) // 2}。",
            )

    @property
    def moves_only(self) -> bool:
        """Whether pixels are moved but never computed with, so that any layout of them is as fast."""
        return not (self.random_resized_crop or self.color_jitter)

    def vary_pixels(self, pixels: Tensor, chance: torch.Generator) -> Tensor:
        """What is done to pictures as they are: uint8 ``[batch, channels, height, width]``, in and out."""
        which = [
            name
            for name, wanted in (("flip", self.flip), ("crop", self.crop and not self.random_resized_crop))
            if wanted
        ]
        pixels = flip_and_crop(pixels, chance, which)
        if self.random_resized_crop:
            pixels = random_resized_crop(pixels, chance)
        return self._color(pixels, chance)

    def cut_pixels(self, source: Source, rows: Tensor, chance: torch.Generator) -> Tensor:
        """`vary_pixels` of the pictures in these rows, int64 ``[batch]``, where they are cut out of larger ones."""
        mirrored = draw_mirrored(len(rows), chance) if self.flip else None
        boxes = random_boxes(len(rows), *source.sizes(rows), chance, usual_scale(*source.size))
        return self._color(source.cut(rows, boxes, mirrored), chance)

    def _color(self, pixels: Tensor, chance: torch.Generator) -> Tensor:
        return color_jitter(pixels, chance, self.color_jitter) if self.color_jitter else pixels

    def vary_inputs(
        self, inputs: Tensor, labels: Tensor, chance: torch.Generator, num_classes: int
    ) -> tuple[Tensor, Tensor]:
        """What is done to normalised pictures, float32 ``[batch, channels, height, width]``, and their labels.

        Returns:
            inputs like those given; labels int64 ``[batch]`` as given, or the share of each class float32
            ``[batch, num_classes]`` where examples are mixed.
        """
        if self.cutout:
            inputs = cutout(inputs, chance, self.cutout)
        if self.mixup:
            inputs, labels = mixup(inputs, labels, mixing_shares(len(inputs), chance, self.mixup), num_classes)
        return inputs, labels
