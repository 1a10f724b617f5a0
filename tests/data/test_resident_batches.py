"""Batches made on the device: what is in them, and that any place of an epoch can be entered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from etude.core.errors import EtudeError
from etude.data.batches import ImageBatches
from etude.data.dataset import Examples, ImageData
from etude.data.resident_batches import ResidentBatches


def make(count: int = 25, side: int = 8) -> ImageData:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (2 * count, 3, side, side)).astype(np.uint8)
    labels = chance.integers(0, 4, 2 * count)
    rows = np.arange(0, 2 * count, 2), np.arange(1, 2 * count, 4), np.arange(3, 2 * count, 4)
    parts = [Examples(images, labels[r], r) for r in rows]
    return ImageData(
        "noise",
        tuple("abcd"),
        *parts,
        (0.4, 0.5, 0.6),
        (0.2, 0.25, 0.3),
        "x",
        {},
        augmentations=("flip", "crop"),
    )


def inputs_of(data, part):
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (data.mean, data.std))
    return (torch.from_numpy(part.pixels()) / 255 - mean) / std


def test_unvaried_an_epoch_holds_each_picture_at_most_once_with_its_label():
    data = make()
    batches = list(ResidentBatches(data, 6, seed=1, shift=0, flip=False).batches(0))
    assert len(batches) == 4  # of 25; the last one is not full
    inputs, labels = torch.cat([b.inputs for b in batches]), torch.cat([b.labels for b in batches])
    whole = inputs_of(data, data.train)
    nearest = torch.cdist(inputs.flatten(1), whole.flatten(1)).argmin(1)
    assert len(set(nearest.tolist())) == 24
    torch.testing.assert_close(inputs, whole[nearest], rtol=1e-4, atol=1e-5)
    assert torch.equal(labels, torch.from_numpy(data.train.labels)[nearest])


def test_two_epochs_show_a_picture_both_ways():
    data = make(12)
    feed = ResidentBatches(data, 12, seed=1, shift=0)
    whole = inputs_of(data, data.train)
    sides = []
    for epoch in range(3):
        (batch,) = feed.batches(epoch)
        plain = torch.cdist(whole.flatten(1), batch.inputs.contiguous().flatten(1)).min(1)[0] < 1e-2
        mirrored = torch.cdist(whole.flip(-1).flatten(1), batch.inputs.contiguous().flatten(1)).min(1)[0] < 1e-2
        assert (plain ^ mirrored).all()
        sides.append(plain)
    assert torch.equal(sides[1], ~sides[0])
    assert torch.equal(sides[2], sides[0])
    assert 0 < int(sides[0].sum()) < 12


def test_pictures_are_mirrored_only_where_the_data_allow_it():
    data = replace(make(12), augmentations=())
    batches = [next(ResidentBatches(data, 12, 1, shift=0, flip=flip).batches(0)) for flip in (True, False)]
    assert torch.equal(batches[0].inputs, batches[1].inputs)


def test_an_epoch_can_be_entered_anywhere():
    data = make()
    whole = list(ResidentBatches(data, 6, seed=5).batches(3))
    for after in range(len(whole) + 1):
        rest = list(ResidentBatches(data, 6, seed=5).batches(3, after))
        assert len(rest) == len(whole) - after
        for ours, theirs in zip(rest, whole[after:]):
            assert torch.equal(ours.inputs, theirs.inputs)
            assert torch.equal(ours.labels, theirs.labels)
    assert whole[0].inputs.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_and_first_inputs_are_unvaried():
    data = make()
    feed, plain = ResidentBatches(data, 6, seed=5), ImageBatches(data, 6, seed=5)
    torch.testing.assert_close(feed.first_inputs(10), inputs_of(data, data.train)[:10], rtol=1e-4, atol=1e-5)
    for ours, theirs in ((feed.test, plain.test), (feed.validation, plain.validation)):
        assert torch.equal(next(iter(ours)).inputs, next(iter(theirs)).inputs)


@pytest.mark.parametrize(("batch_size", "shift", "words"), [(26, 2, "at most 25"), (5, 8, "8 pixels")])
def test_what_cannot_be_is_refused(batch_size, shift, words):
    with pytest.raises(EtudeError, match=words):
        ResidentBatches(make(), batch_size, 0, shift=shift)
