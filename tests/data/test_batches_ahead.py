"""Batches made ahead by a thread are those made when they are asked for, whatever is done to the pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etude.data.augmentation import Augmentation
from etude.data.batches import ImageBatches
from etude.data.dataset import Examples, ImageData

VARIED = [
    False,
    Augmentation(flip=True, crop=True, cutout=4, mixup=0.4),
    Augmentation(flip=True, random_resized_crop=True, color_jitter=0.5),
]


def make(side: int) -> ImageData:
    chance = np.random.default_rng(0)
    parts = [
        Examples(chance.integers(0, 256, (n, 3, side, side)).astype(np.uint8), chance.integers(0, 4, n))
        for n in (50, 12, 12)
    ]
    return ImageData("noise", tuple("abcd"), *parts, (0.5,) * 3, (0.25,) * 3, "x", {}, augmentations=("flip", "crop"))  # fmt: skip


@pytest.mark.parametrize("side", [16, 48])  # varied a batch at a time, and picture by picture
@pytest.mark.parametrize("varied", VARIED)
def test_batches_made_ahead_are_the_same(varied, side):
    data = make(side)
    at_once, ahead = (ImageBatches(data, 8, 3, "cpu", varied, True, prefetch=depth) for depth in (0, 2))
    for epoch, after in ((0, 0), (0, 2), (1, 0)):
        pairs = list(zip(at_once.batches(epoch, after), ahead.batches(epoch, after), strict=True))
        assert len(pairs) == len(at_once) - after
        for one, other in pairs:
            assert torch.equal(one.inputs, other.inputs)
            assert torch.equal(one.labels, other.labels)


def test_labels_that_were_read_in_inference_mode_first_can_be_learnt_from():
    batches = ImageBatches(make(16), 8, 0)
    with torch.inference_mode():
        measured = [batch.labels for batch in batches.evaluation("train")]
    again = next(iter(batches.evaluation("train")))
    logits = torch.zeros(len(again.labels), 4, requires_grad=True)
    torch.nn.functional.cross_entropy(logits, again.labels).backward()
    assert logits.grad is not None
    assert torch.equal(torch.cat(measured), again.labels)
